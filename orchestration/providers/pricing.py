"""What tokens cost, by the price data that ships with genai-prices. Unknown stays unknown: never zero or a guess."""

from __future__ import annotations

import warnings
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version

from .base import Usage


def price_version() -> str:
    return f"genai-prices {version('genai_prices')}"


def cost_usd(provider: str, model: str, usage: Usage) -> Decimal | None:
    """The price of this usage in US dollars, or None where the model, the price or the usage is unknown."""
    if provider == "simulated":
        return Decimal(0)  # nothing was asked, so nothing was paid
    if provider not in ("openai", "anthropic") or not model or not usage.known:
        return None
    import genai_prices  # half a second: only once an agent has run

    counted = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return genai_prices.calc_price(counted, model, provider_id=provider).total_price
    except (LookupError, ValueError, ArithmeticError):
        return None


@lru_cache(maxsize=64)
def token_prices(provider: str, model: str) -> tuple[Decimal, Decimal] | None:
    """US dollars of one input and one output token, to reserve a budget before a call."""
    thousand_in = cost_usd(provider, model, Usage(input_tokens=1000))
    thousand_out = cost_usd(provider, model, Usage(output_tokens=1000))
    if thousand_in is None or thousand_out is None:
        return None
    return thousand_in / 1000, thousand_out / 1000
