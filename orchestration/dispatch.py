"""Wakes somebody to do ready steps. A nudge is a hint: it may be lost or doubled, the sweeper finds what was missed.

The default does nothing (commands, tests); `serve` and `run_worker` put their pool here.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from typing import Protocol

logger = logging.getLogger(__name__)


class Dispatcher(Protocol):
    def nudge(self, project_id: int, run_id: uuid.UUID, step_run_id: int) -> None:
        """A step of this run may be started. Projects take turns."""

    def control_changed(self, run_id: uuid.UUID) -> None:
        """Work in flight should look at the run's control flag now."""


_dispatchers: list[Dispatcher] = []


def register(dispatcher: Dispatcher) -> None:
    _dispatchers.append(dispatcher)


def unregister(dispatcher: Dispatcher) -> None:
    _dispatchers.remove(dispatcher)


def clear() -> None:
    """In a worker process, before its pool registers: what becomes ready here is done here first."""
    _dispatchers.clear()


def nudge(project_id: int, run_id: uuid.UUID, step_run_ids: Iterable[int]) -> None:
    for step_run_id in step_run_ids:
        for dispatcher in _dispatchers:
            _quietly(dispatcher, project_id, run_id, step_run_id)


def control_changed(run_id: uuid.UUID) -> None:
    for dispatcher in _dispatchers:
        dispatcher.control_changed(run_id)


def _quietly(dispatcher: Dispatcher, project_id: int, run_id: uuid.UUID, step_run_id: int) -> None:
    try:
        dispatcher.nudge(project_id, run_id, step_run_id)
    except Exception:
        logger.warning("nudge lost", exc_info=True)
