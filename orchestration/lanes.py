"""The pool's queue: a lane for each project, served in turn, so that a long lane keeps nobody else waiting."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """Any thread may put and take."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lanes: dict[int, deque[T]] = {}  # only those that hold something; the first is next
        self._takers = 0
        self._is_closed = False

    def put(self, lane: int, item: T) -> bool:
        """Whether there are as many who wait to take as there is to be taken."""
        with self._changed:
            self._lanes.setdefault(lane, deque()).append(item)
            self._changed.notify()
            return sum(map(len, self._lanes.values())) <= self._takers

    def take(self) -> T | None:
        """The oldest item of the lane whose turn it is, as soon as there is one; None once it is closed."""
        with self._changed:
            self._takers += 1
            self._changed.wait_for(lambda: self._lanes or self._is_closed)
            self._takers -= 1
            return None if self._is_closed else self._next()

    def others_wait(self, lane: int) -> bool:
        with self._changed:
            return any(other != lane for other in self._lanes)

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _next(self) -> T:
        lane, items = next(iter(self._lanes.items()))
        del self._lanes[lane]
        item = items.popleft()
        if items:
            self._lanes[lane] = items
        return item
