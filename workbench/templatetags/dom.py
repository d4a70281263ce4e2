"""Element ids from one place, so that a page, an HTMX answer and a socket push name the same element alike."""

import re

from django import template

register = template.Library()


@register.simple_tag
def dom_id(noun: str, key: object = "") -> str:
    return f"{noun}-{re.sub(r'[^A-Za-z0-9_-]', '-', str(key))}" if key != "" else noun
