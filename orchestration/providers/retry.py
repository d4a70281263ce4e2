"""How long to wait before a provider is asked again. Pure: time and chance come in as arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class RetryPolicy:
    max_tries: int = 5  # of one turn, the first included
    base_seconds: float = 1.0  # also the least wait: a project never asks more than once a second
    factor: float = 2.0
    cap_seconds: float = 60.0

    def wait(self, tries: int, retry_after: float | None, chance: float) -> float:
        """Seconds to wait after the `tries`-th failure; what the provider asks for counts up to the cap."""
        backoff = self.base_seconds * self.factor ** min(max(tries - 1, 0), 30)
        jittered = min(backoff, self.cap_seconds) * (1 + 0.25 * chance)
        return min(max(jittered, retry_after or 0.0), self.cap_seconds * 1.25)


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from `retry-after-ms` or `retry-after` (seconds or date); None where absent or nonsense."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        seconds = _number(headers.get(name), divisor)
        if seconds is not None:
            return seconds
    return _date(headers.get("retry-after"), now)


def _number(value: str | None, divisor: float) -> float | None:
    try:
        seconds = float(value or "") / divisor
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _date(value: str | None, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(value or "")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
