"""One commit for all the changes that wait: a commit waits for the disk longer than a change takes to make.

SQLite has one writer. Whoever gets it does the work of everybody who queues behind, each in a savepoint of its own,
and commits once. Nobody is answered before that commit. Work that raises takes back its own savepoint only, and its
caller gets the error. Where the whole transaction fails, nothing counts and everybody tries again alone, so that an
error reaches whoever caused it. Work runs on another thread than its caller's: it must not rely on locks held there.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from django.db import transaction

T = TypeVar("T")
Carried = dict[Any, Any]  # what earlier work of the same transaction hands on to later work
Work = Callable[[Carried], T]
MOST = 32

logger = logging.getLogger(__name__)


class _Turn:
    """One caller's work, and how it came out."""

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.called = threading.Event()
        self.is_done = False
        self.is_alone = False
        self.answer: Any = None
        self.error: Exception | None = None

    def act(self, carried: Carried) -> None:
        """Where SQLite took back the whole transaction (a full disk), Django finds the savepoint gone and ends it."""
        try:
            with transaction.atomic():
                self.answer = self.work(carried)
        except Exception as error:  # noqa: BLE001 - it is its caller's, who gets it after the commit
            self.error = error


class GroupCommit:
    """`writer` is held by whoever writes, in groups or not."""

    def __init__(self, writer: AbstractContextManager[Any]) -> None:
        self._writer = writer
        self._waiting: deque[_Turn] = deque()
        self._is_led = False
        self._lock = threading.Lock()

    def do(self, work: Work[T]) -> T:
        """Answers once the work is committed, or raises what it raised. Call outside any transaction."""
        turn = _Turn(work)
        if self._join(turn):
            turn.called.wait()
        if not (turn.is_done or turn.is_alone):
            self._lead(turn)
        if turn.is_alone:
            return self._do_alone(work)
        if turn.error is not None:
            raise turn.error
        answer: T = turn.answer
        return answer

    def _join(self, turn: _Turn) -> bool:
        """False where nobody leads, so that this caller does."""
        with self._lock:
            was_led, self._is_led = self._is_led, True
            if was_led:
                self._waiting.append(turn)
            return was_led

    def _lead(self, mine: _Turn) -> None:
        group = [mine]
        try:
            with self._writer:
                group += self._gather()
                if len(group) > 1:
                    self._do_together(group)
        finally:
            self._hand_over(group)

    def _gather(self) -> list[_Turn]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]

    def _do_together(self, group: list[_Turn]) -> None:
        committed: list[bool] = []
        try:
            with transaction.atomic():
                transaction.on_commit(lambda: committed.append(True))
                carried: Carried = {}
                for turn in group:
                    turn.act(carried)
        except Exception:
            # What is told after a commit may fail; the changes are made all the same.
            logger.warning("a group of %d changes failed", len(group), exc_info=True)
        finally:
            for turn in group:
                turn.is_done = bool(committed)

    def _hand_over(self, group: list[_Turn]) -> None:
        """Whoever waits longest leads next."""
        with self._lock:
            following = [self._waiting.popleft()] if self._waiting else []
            self._is_led = bool(following)
        for turn in group:
            turn.is_alone = not turn.is_done
        for turn in (*group, *following):
            turn.called.set()

    def _do_alone(self, work: Work[T]) -> T:
        with self._writer, transaction.atomic():
            return work({})
