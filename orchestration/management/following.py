"""Follows a run by its events until it ends or fails; a page of a terminal."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from orchestration.models import Event, WorkflowRun

ENDS = ("succeeded", "canceled", "failed")
PAUSE_SECONDS = 0.25
SILENCE_SECONDS = 15.0
SILENT = "Nobody has begun yet: is a worker running? Start script/run, or run_worker."


class Follower:
    def __init__(self, run_id: uuid.UUID, say: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self.run_id, self._say, self._warn = run_id, say, warn
        self._last = 0

    def follow(self, timeout: float | None) -> str:
        """Tell what happens; answers the state in which the run ended, or was when the time was over."""
        began, is_warned = time.monotonic(), False
        while True:
            state = self._state()
            self._tell()
            waited = time.monotonic() - began
            if state in ENDS or (timeout is not None and waited >= timeout):
                return state
            if waited > SILENCE_SECONDS and not is_warned and self._is_silent():
                self._warn(SILENT)
                is_warned = True
            time.sleep(PAUSE_SECONDS)

    def _tell(self) -> None:
        found = Event.objects.filter(run=self.run_id, sequence_no__gt=self._last).order_by("sequence_no")
        for number, key, data in found.values_list("sequence_no", "step_key", "data"):
            self._last = number
            if "to" in data:
                self._say(_line(key, data))

    def _state(self) -> str:
        return WorkflowRun.objects.values_list("state", flat=True).get(pk=self.run_id)

    def _is_silent(self) -> bool:
        started = Event.objects.filter(run=self.run_id, type="step.started").exists()
        return not started and self._state() == "running"


def _line(key: str, data: dict[str, str]) -> str:
    what = f"step {key}" if key else "run"
    reason = f" ({data['reason']})" if data.get("reason") else ""
    return f"  {what}: {data['to']}{reason}"
