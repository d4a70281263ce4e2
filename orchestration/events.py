"""After a change is committed: wake whoever waits for it. Lost words do no harm, everybody also looks by themselves.

The event table is the stream; the bell only says that there is something new to read.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from orchestration import dispatch

logger = logging.getLogger(__name__)
_bells: list[Callable[[str], None]] = []


def on_news(bell: Callable[[str], None]) -> None:
    """Register what rings for a run's followers; called with the run's id, from any thread."""
    _bells.append(bell)


def announce(run_id: uuid.UUID, project_id: int, ready: Iterable[int], more: Iterable[Callable[[], None]] = ()) -> None:
    ring(run_id)
    dispatch.nudge(project_id, run_id, ready)
    for tell in more:
        _quietly(tell)


def ring(run_id: uuid.UUID) -> None:
    for bell in _bells:
        _quietly(bell, str(run_id))


def _quietly(tell: Callable[..., None], *arguments: Any) -> None:
    # The change is committed; a bell that fails must not look like a change that failed.
    try:
        tell(*arguments)
    except Exception:
        logger.warning("a follower could not be told", exc_info=True)
