"""The icon tag. Icons are symbols of one sprite (see static/vendor/README.md); each is decoration beside a word."""

import functools

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

SPRITE = "vendor/tabler-icons-3.51.0/sprite.svg"


@register.simple_tag
@functools.lru_cache(maxsize=1024)
def icon(name: str, extra: str = "") -> SafeString:
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {extra}" if extra else "",
        static(SPRITE),
        name,
    )


@register.simple_tag
def sprite() -> str:
    """Where the sprite lies, for drawings that place a symbol themselves."""
    return static(SPRITE)
