"""What the worker does for the attempt it drives: its host. Every durable word is conditional on owning the attempt.

Executors call it from the attempt's thread; it never runs inside a transaction of theirs, for they have none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from orchestration import events, hidden
from orchestration.engine import rows
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.errors import LostAttempt
from orchestration.engine.locks import write_transaction
from orchestration.engine.starting import Assignment
from orchestration.executors.base import FoundArtifact, LeaseLost, Outcome, Permission, ToolCall
from orchestration.logs import LogWriter
from orchestration.models import ExecutionRun
from orchestration.storable import storable
from policy.actors import Actor
from policy.models import Project
from policy.redaction import Redactor, redact_data, redact_text


class AttemptHost:
    def __init__(self, assignment: Assignment, owner: str) -> None:
        self.assignment, self.owner = assignment, owner
        self._cancel = threading.Event()
        self._lost = threading.Event()
        self._look = threading.Event()
        self._writer = LogWriter(
            assignment.attempt_id,
            owner,
            make_redactor=lambda: Redactor(self._hidden),
            size=assignment.log_size,
            lines=assignment.log_lines,
            state=assignment.log_state,
        )

    def ask_to_cancel(self) -> None:
        self._cancel.set()

    def say_lost(self) -> None:
        self._lost.set()

    def ask_to_look(self) -> None:
        self._look.set()

    def control(self) -> str:
        if self._lost.is_set():
            raise LeaseLost
        if self._cancel.is_set():
            return "cancel"
        if self._look.is_set():
            self._look.clear()
            return "look"
        return "none"

    def log(self, stream: str, data: bytes, spool_offset: int) -> None:
        self._owned(lambda: self._writer.write(stream, data, spool_offset))
        events.ring(self.assignment.run_id)

    def finish_log(self) -> None:
        self._owned(self._writer.finish)

    def log_offset(self) -> int:
        return self._writer.safe_offset

    def save_handle(self, handle: Mapping[str, Any]) -> None:
        self._save(handle=storable(handle))

    def save_checkpoint(self, checkpoint: Mapping[str, Any], handle: Mapping[str, Any] | None = None) -> None:
        both = {} if handle is None else {"handle": storable(handle)}
        self._save(checkpoint=redact_data(storable(checkpoint), self._hidden), **both)

    def emit(self, kind: str, data: Mapping[str, Any]) -> None:
        clean = redact_data(storable(data), self._hidden)

        def body(change: Change) -> None:
            self._check_owned()
            change.event(kind, self.assignment.step_key, clean)

        self._owned(lambda: change_run(self.assignment.run_id, self._actor, body))

    def permit(self, call: ToolCall) -> Permission:
        return Permission("refused", "only agents make tool calls")

    def redact(self, text: str) -> str:
        return redact_text(text, self._hidden)

    def complete(self, outcome: Outcome) -> Outcome:
        """What the engine is told of how the work ended."""
        return outcome

    def clean_artifact(self, artifact: FoundArtifact) -> FoundArtifact:
        """Files are kept as they are: what a command wrote is its own."""
        return artifact

    @cached_property
    def _hidden(self) -> Mapping[str, str]:
        return hidden.values_of(Project.objects.get(pk=self.assignment.project_id))

    @cached_property
    def _actor(self) -> Actor:
        return Actor.system("worker")

    def _save(self, **changes: Any) -> None:
        with write_transaction():
            found = rows.update(
                ExecutionRun, changes, id=self.assignment.attempt_id, owner=self.owner, finished_at=None
            )
        if found != 1:
            raise LeaseLost

    def _check_owned(self) -> None:
        mine = ExecutionRun.objects.filter(pk=self.assignment.attempt_id, owner=self.owner, finished_at=None)
        if not mine.exists():
            raise LeaseLost

    def _owned(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except LostAttempt as error:
            raise LeaseLost from error
