"""Money, tokens and bytes in words. What is not known is called unknown, never nought."""

from decimal import Decimal

from django import template

register = template.Library()


@register.filter
def cost(usd: Decimal | float | None) -> str:
    if usd is None:
        return "cost unknown"
    if 0 < usd < Decimal("0.01"):
        return f"${usd:.4f}"
    return f"${usd:,.2f}"


@register.filter
def tokens(count: int | None) -> str:
    if count is None:
        return "unknown"
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1000:,.1f}k" if count < 1_000_000 else f"{count / 1_000_000:,.2f}M"


@register.filter
def counted(number: int) -> str:
    return f"{number:,}"


@register.filter
def byte_size(count: int | None) -> str:
    if count is None:
        return "–"
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


@register.filter
def short_digest(digest: str | None) -> str:
    return (digest or "")[:12]
