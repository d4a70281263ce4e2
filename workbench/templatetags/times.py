"""Times and durations in words. Relative ones carry the exact time on hover; static/js/time.js keeps them true."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


@register.filter
def duration(seconds: float | None) -> str:
    """77 ms, 0.42 s, 12 s, 4 min 10 s, 2 h 5 min: two units at most."""
    if seconds is None:
        return "–"
    if seconds < 0.1:
        return f"{round(max(seconds, 0) * 1000)} ms" if seconds > 0 else "0 s"
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    return _whole_units(round(seconds))


def _whole_units(seconds: int) -> str:
    for size, unit in UNITS:
        if seconds >= size:
            rest, below = seconds % size, _unit_below(size)
            tail = f" {rest // below[0]} {below[1]}" if rest >= below[0] else ""
            return f"{seconds // size} {unit}{tail}"
    return f"{seconds} s"


def _unit_below(size: int) -> tuple[int, str]:
    return next(((s, u) for s, u in UNITS if s < size), (1, "s"))


@register.simple_tag
def ago(when: datetime | None) -> SafeString | str:
    """ "3 min ago" or "in 2 h", with the exact time on hover."""
    if when is None:
        return "–"
    return _time_element(when, _distance(when), "data-relative")


@register.simple_tag
def exact(when: datetime | None) -> SafeString | str:
    if when is None:
        return "–"
    return _time_element(when, _stamp(when), "data-exact")


@register.simple_tag
def elapsed(start: datetime | None, end: datetime | None = None) -> SafeString | str:
    """How long it took; while it lasts, the browser counts on."""
    if start is None:
        return "–"
    if end is not None:
        return duration((end - start).total_seconds())
    return _time_element(start, duration((timezone.now() - start).total_seconds()), "data-elapsed")


def _time_element(when: datetime, words: str, role: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}" {}>{}</time>',
        when.isoformat(),
        _stamp(when),
        role,
        words,
    )


def _stamp(when: datetime) -> str:
    return timezone.localtime(when).strftime("%-d %b %Y, %H:%M:%S %Z")


def _distance(when: datetime) -> str:
    seconds = (timezone.now() - when).total_seconds()
    if abs(seconds) < 45:
        return "just now" if seconds >= 0 else "in a moment"
    words = _largest_unit(abs(seconds))
    return f"{words} ago" if seconds > 0 else f"in {words}"


def _largest_unit(seconds: float) -> str:
    for size, unit in UNITS:
        if seconds >= size:
            return f"{round(seconds / size)} {unit}"
    return "1 min"
