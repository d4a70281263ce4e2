"""Time and orders: whether an agent may go on. Asked before every wait and between any two things it does."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..base import Host

CONTROL_EVERY = 0.2  # seconds between two looks at the control flag


class Stopped(Exception):
    """The agent must end here. `kind` is canceled or timeout."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Watch:
    def __init__(
        self, host: Host, seconds: float, *, spent: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._clock = clock
        self._began = clock() - spent
        self.seconds = seconds
        self.is_behind = False  # the provider was seen to be further than its stream told
        self._looked = float("-inf")

    @property
    def spent(self) -> float:
        return self._clock() - self._began

    @property
    def left(self) -> float:
        return max(0.0, self.seconds - self.spent)

    def look(self) -> None:
        """Raise Stopped when the step was canceled or its time is over; LeaseLost passes through."""
        self._looked = self._clock()
        order = self._host.control()
        self.is_behind = self.is_behind or order == "look"
        if order == "cancel":
            raise Stopped("canceled")
        if self.left <= 0:
            raise Stopped("timeout")

    def check(self) -> None:
        """The same, but not more often than people can notice: for loops that turn with every event."""
        if self._clock() - self._looked >= CONTROL_EVERY:
            self.look()

    def sleep(self, seconds: float) -> None:
        end = self._clock() + seconds
        while (rest := end - self._clock()) > 0:
            self.check()
            time.sleep(min(rest, CONTROL_EVERY))
        self.check()
