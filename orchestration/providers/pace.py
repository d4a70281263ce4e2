"""Repeats of failed requests to one place, one after the other.

Many agents that failed together don't come back together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable


class Pace:
    """Of one process; may be asked from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next: dict[Hashable, float] = {}

    def wait(self, place: Hashable, seconds: float, gap: float) -> float:
        """Seconds until this one's turn: at least `seconds`, and `gap` after whoever asked before."""
        with self._lock:
            now = self._clock()
            at = max(now + seconds, self._next.get(place, now))
            self._next[place] = at + gap
            return at - now


PACE = Pace()
