"""The host of an agent: its provider's settings, permits for its tool calls, its budget, the change so far.

The worker makes one for each attempt of an sdk step. Verdicts and decisions are the engine's, this only asks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings

from orchestration import boundary, events, provider_settings, worktree
from orchestration.engine import agent_gates, budgets, checkpoints, gates, rows, usage
from orchestration.engine.budgets import Room, Spender
from orchestration.engine.change import Change
from orchestration.engine.door import change_run, database_now
from orchestration.engine.locks import write_transaction
from orchestration.engine.starting import Assignment
from orchestration.executors.agents.host import AgentSettings, Estimate, Reservation
from orchestration.executors.agents.state import is_open, question_of
from orchestration.executors.base import FoundArtifact, LeaseLost, Outcome, Permission, ToolCall
from orchestration.hosting import AttemptHost
from orchestration.models import ExecutionRun
from orchestration.providers.base import Usage
from orchestration.storable import storable
from policy import risk
from policy.models import Project
from policy.redaction import redact_data

BEGAN_TOO_FREE = "this project requires a sandbox by now, and the attempt began without one; it can be retried"
LEAST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
SHARE_OF_TIME = 4


@dataclass
class Outbox:
    """Words that wait to be written together: with the next durable one, or when they have waited long enough.

    A store that is slow is asked less often: what waits rests as long as the last delivery took, some times over.
    """

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    spent: list[tuple[str, int, Decimal | None]] = field(default_factory=list)
    pause: float = LEAST_PAUSE
    since: float = 0.0
    is_waiting: bool = False

    def begin(self) -> None:
        if not self.is_waiting:
            self.is_waiting, self.since = True, time.monotonic()

    @property
    def is_due(self) -> bool:
        return self.is_waiting and time.monotonic() - self.since >= self.pause

    @classmethod
    def after(cls, seconds: float) -> Outbox:
        """An empty one, when the last was delivered in so many seconds."""
        return cls(pause=min(max(LEAST_PAUSE, SHARE_OF_TIME * seconds), LONGEST_PAUSE))


class AgentHost(AttemptHost):
    def __init__(self, assignment: Assignment, owner: str) -> None:
        super().__init__(assignment, owner)
        self._last = assignment.checkpoint
        self._handle = assignment.handle or (assignment.checkpoint or {}).get("handle")
        self._estimate: Estimate | None = None
        self._tightest: Room | None = None
        self._is_limited = False
        self._noticed: set[tuple[str, str]] = set()
        self._outbox = Outbox()
        self._entries: list[tuple[Any, dict[str, Any]]] = []

    def settings(self, provider: str) -> AgentSettings:
        project = Project.objects.get(pk=self.assignment.project_id)
        config = provider_settings.usable_config(project, provider)
        return AgentSettings(config, repository_instructions=project.allow_instructions)

    def emit(self, kind: str, data: Mapping[str, Any]) -> None:
        self._outbox.events.append((kind, self._clean(data)))
        self._outbox.begin()

    def log(self, stream: str, data: bytes, spool_offset: int) -> None:
        self._writer.stage(stream, data, spool_offset)
        self._outbox.begin()

    def finish_log(self) -> None:
        self._deliver()
        super().finish_log()

    def control(self) -> str:
        if self._outbox.is_due:
            self._deliver()
        return super().control()

    def save_handle(self, handle: Mapping[str, Any]) -> None:
        self._handle = handle
        self._deliver(handle=storable(handle), sync_status="in_sync")

    def save_checkpoint(self, checkpoint: Mapping[str, Any], handle: Mapping[str, Any] | None = None) -> None:
        self._last = checkpoint
        columns: dict[str, Any] = {"checkpoint": self._marked(checkpoint)}
        if handle is not None:
            self._handle = handle
            columns |= {"handle": storable(handle), "sync_status": "in_sync"}
        self._deliver(**columns)

    def permit(self, call: ToolCall) -> Permission:
        clean = replace(call, arguments=self._clean(call.arguments))
        if call.name == "run_command" and self._began_too_free():
            return Permission("refused", BEGAN_TOO_FREE)
        if self._is_free(clean):
            return Permission("allowed")

        def body(change: Change) -> Permission:
            self._check_owned()
            return agent_gates.permit(change, self.assignment.step_key, self.assignment.definition, clean)

        self._deliver()
        self._asked_about.add(call.id)
        return change_run(self.assignment.run_id, self._actor, body)

    def reserve(self, estimate: Estimate) -> Reservation:
        found = budgets.reserve(self._spender, estimate)
        self._estimate, self._tightest, self._is_limited = estimate, found.tightest, bool(found.rooms)
        notice = self._notice(found.rooms) if found.reservation.granted else ""
        return replace(found.reservation, notice=notice)

    def record_usage(self, key: str, usage: Usage, usd: Decimal | None) -> None:
        self._outbox.spent.append((key, usage.total_tokens, usd))
        self._outbox.begin()
        if not self._is_limited or self._estimate is None:
            return
        self._deliver()
        if notice := self._notice(budgets.rooms_now(self._spender, self._estimate)):
            self.emit("agent.notice", {"message": notice})

    def diff(self) -> str:
        """What changed in the workspace since the step began to work there."""
        path = Path(settings.WORKTREES_DIR) / str(self.assignment.run_id)
        if self.assignment.workspace_kind != "worktree" or not worktree.store_of(path).is_dir():
            return "This workspace keeps no history, so there is no diff to show."
        tree = worktree.open_run_worktree(path)
        taken = worktree.snapshot(tree, message=f"Run {self.assignment.run_number}: {self.assignment.step_key}")
        return worktree.diff(tree, self._tree_before, taken.tree).patch.decode("utf-8", "replace")

    def complete(self, outcome: Outcome) -> Outcome:
        """Say which limit stopped it, and count what this attempt used: not what its step had used before."""
        with suppress(LeaseLost):  # then this ending changes nothing either
            self._deliver()
        total = outcome.usage or usage.of_checkpoint(self._last)
        counted = replace(outcome, usage=usage.minus(total, self.assignment.usage_before))
        counted = replace(counted, extension={**self._clean(outcome.extension), **self._left_open()})
        if (outcome.kind, outcome.reason) == ("checkpoint", "budget") and self._tightest is not None:
            return replace(counted, extension={**counted.extension, "budget": self._tightest.as_data()})
        return counted

    def clean_artifact(self, artifact: FoundArtifact) -> FoundArtifact:
        """A transcript holds what a model said: secrets go out of it before it is stored."""
        if artifact.kind == "transcript":
            text = json.dumps(self._clean(json.loads(artifact.path.read_text())), ensure_ascii=False, indent=1)
            artifact.path.write_text(text)
        return artifact

    def _deliver(self, **columns: Any) -> None:
        """Everything that waits and these columns of the attempt, in one transaction; nothing is lost if that fails."""
        began = time.monotonic()
        if self._outbox.events or self._outbox.spent:
            self._owned(lambda: change_run(self.assignment.run_id, self._actor, lambda c: self._write(c, columns)))
        elif columns or self._writer.has_news:
            self._owned(lambda: self._write_apart(columns))
        self._writer.settled()
        self._outbox = Outbox.after(time.monotonic() - began)

    def _write(self, change: Change, columns: Mapping[str, Any]) -> None:
        self._write_attempt(change.now, columns)
        for kind, data in self._outbox.events:
            change.event(kind, self.assignment.step_key, data)
        for key, tokens, usd in self._outbox.spent:
            budgets.record(self._spender, key, tokens, usd, change.now)

    def _write_apart(self, columns: Mapping[str, Any]) -> None:
        """What is no event changes nothing of the run, so nobody has to wait for the run."""
        with write_transaction():
            self._write_attempt(database_now(), columns)
        if not columns:
            events.ring(self.assignment.run_id)

    def _write_attempt(self, now: Any, columns: Mapping[str, Any]) -> None:
        mine = {"id": self.assignment.attempt_id, "owner": self.owner, "finished_at": None}
        if not columns:
            self._check_owned()
        elif rows.update(ExecutionRun, columns, **mine) != 1:
            raise LeaseLost
        if self._writer.has_news:
            self._writer.put(now)

    def _marked(self, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        """Cleaned of secrets. Entries of a transcript are only ever added, and each is cleaned once."""
        known, entries = self._entries, checkpoint.get("transcript", ())
        kept = [pair for pair, entry in zip(known, entries, strict=False) if pair[0] is entry]
        kept += [(entry, self._clean(entry)) for entry in entries[len(kept) :]]
        self._entries = kept
        rest = {name: part for name, part in checkpoint.items() if name != "transcript"}
        clean = {**self._clean(rest), "transcript": [made for _, made in kept]}
        return checkpoints.marked(clean, self.assignment.definition)

    def _left_open(self) -> dict[str, Any]:
        """The answer that the provider still owes this attempt, for reconciliation."""
        if self._handle is None or not is_open(self._handle, question_of(self._last)):
            return {}
        return {"open_response": str(self._handle["provider_handle"].get("response_id"))}

    def _is_free(self, call: ToolCall) -> bool:
        """Most calls: the rules allow them and nobody was ever asked. What is said here costs no lock."""
        project = Project.objects.get(pk=self.assignment.project_id)
        context = gates.context_for(project, self.assignment.feature, project.rules_revision, here=True)
        verdict = risk.evaluate_tool_call(risk.ToolCall(call.name, call.arguments), self.assignment.definition, context)
        return verdict.verdict == "allow" and call.id not in self._asked_about

    def _began_too_free(self) -> bool:
        project = Project.objects.get(pk=self.assignment.project_id)
        return boundary.stricter(self.assignment.sandbox, boundary.wanted(project)) != self.assignment.sandbox

    def _clean(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return dict(redact_data(storable(data), self._hidden))

    def _notice(self, rooms: tuple[Room, ...]) -> str:
        """Once for each limit in each process."""
        news = [room for room in rooms if room.is_noticed and (room.scope, room.unit) not in self._noticed]
        self._noticed.update((room.scope, room.unit) for room in news)
        return " ".join(room.sentence for room in news)

    @cached_property
    def _asked_about(self) -> set[str]:
        """Calls of this step that somebody was asked about: only this attempt and those before it ask."""
        return agent_gates.calls_asked_about(self.assignment.step_run_id)

    @cached_property
    def _project(self) -> Project:
        """As it was when the attempt began: for its name, and as the owner of rules."""
        return Project.objects.get(pk=self.assignment.project_id)

    @cached_property
    def _spender(self) -> Spender:
        mine = self.assignment
        return Spender(
            mine.project_id,
            mine.run_id,
            mine.step_run_id,
            mine.attempt_id,
            mine.definition.get("budget") or {},
            mine.plan.get("budget") or {},
        )

    @cached_property
    def _tree_before(self) -> str:
        attempts = ExecutionRun.objects.filter(step_run_id=self.assignment.step_run_id).order_by("token")
        if not self.assignment.usage_before:
            attempts = attempts.filter(pk=self.assignment.attempt_id)
        return attempts.values_list("tree_before", flat=True)[0] or self.assignment.base_commit


def host_for(assignment: Assignment, owner: str) -> AttemptHost:
    is_agent = assignment.definition["type"] == "sdk"
    return AgentHost(assignment, owner) if is_agent else AttemptHost(assignment, owner)
