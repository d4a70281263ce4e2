"""A run's events folded as they come: 2 to 5, 10, 11, 13, 18, 28, 30, and what decisions are held against.

The stream is read once; what is kept is the size of the plan, not of the history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.invariants.arrows import FINAL, RUN_ARROWS, RUN_EVENTS, STEP_ARROWS
from orchestration.invariants.breach import Breach
from orchestration.invariants.facts import PlanFacts, RunRow

GATES = frozenset({"step.gated", "step.lapsed", "step.override_asked"})
CONTROLS = {
    "run.pause_asked": "pause",
    "run.resume_asked": "none",
    "run.cancel_asked": "cancel",
    "run.timed_out": "cancel",
}
# What an approval does by itself, without a start: event -> kind of the approval
DEEDS = {"run.drift_accepted": "override", "run.replan_approved": "replan"}
ALWAYS_AUDITED = frozenset(
    {
        "run.created", "run.pause_asked", "run.resume_asked", "run.cancel_asked", "run.replanned", "run.timed_out",
        "run.succeeded", "run.canceled", "run.failed", "run.drift_found", "run.drift_accepted", "run.replan_approved",
        "step.replan_asked", "step.override_refused", "approval.decided", "approval.consumed", "approval.superseded",
        "approval.expired", "approval.revoked", "step.skipped", "step.skip_asked",
        "step.override_asked", "step.denied", "step.interrupted", "step.resolved",
    }
)  # fmt: skip


@dataclass
class Series:
    """One series of attempts of a step: from its first gate, or a person's retry, on."""

    is_gated: bool = False
    consumed: str = ""  # the approval used since the last gate
    repeats: int = 0
    skip_asked: bool = False


@dataclass(frozen=True)
class Start:
    key: str
    attempt: str
    is_gated: bool
    consumed: str
    granted: tuple[str, ...] = ()  # names that the step had from its profile


@dataclass
class History:
    run: RunRow
    plan: PlanFacts
    last: int = 0
    state: str = "queued"
    control: str = "none"
    admitted: bool = False
    generation: int = 1
    final: str = ""
    states: dict[str, str] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    skipped: dict[str, bool] = field(default_factory=dict)  # key -> it was asked of an approver
    superseded: int = 0
    consumed: Counter[str] = field(default_factory=Counter)
    deeds: list[tuple[str, str]] = field(default_factory=list)  # kind of the approval, its id
    audits: Counter[int] = field(default_factory=Counter)
    decided_calls: list[tuple[str, str, str]] = field(default_factory=list)  # step, call, approval
    breaches: list[Breach] = field(default_factory=list)
    _pending_calls: dict[tuple[str, str], str] = field(default_factory=dict)
    _series: dict[str, Series] = field(default_factory=dict)
    _was_good: set[str] = field(default_factory=set)

    def see(self, number: int, kind: str, key: str, data: Any, audit: int | None) -> None:
        if number != self.last + 1:
            self._say(3, f"Event {number} comes after event {self.last}.", key)
        self.last = number
        if self.final:
            self._say(5, f"Event {number} ({kind}) comes after the run was {self.final}.", key)
        if audit is not None:
            self.audits[audit] += 1
        elif kind in ALWAYS_AUDITED:
            self._say(18, f"Event {number} ({kind}) has no audit record.", key)
        facts: Mapping[str, Any] = data if isinstance(data, dict) else {}
        if kind in DEEDS:
            self.deeds.append((DEEDS[kind], str(facts.get("approval"))))
            self.consumed[str(facts.get("approval"))] += 1
        if kind in CONTROLS:
            self.control = CONTROLS[kind]
        elif key:
            self._of_step(number, kind, key, facts)
        else:
            self._of_run(number, kind, facts)

    def _of_run(self, number: int, kind: str, data: Mapping[str, Any]) -> None:
        if kind in RUN_EVENTS:
            self._moved_run(number, kind, data)
        elif kind == "run.admitted":
            self.admitted = True
        elif kind == "run.replanned":
            self._replanned(data)
        elif "to" in data:
            self._say(4, f"Event {number} ({kind}) tells of a move that the table does not know.", "")

    def _moved_run(self, number: int, kind: str, data: Mapping[str, Any]) -> None:
        before, after = str(data.get("from")), str(data.get("to"))
        if (before, kind, after) not in RUN_ARROWS:
            self._say(4, f"Event {number}: {kind} from {before} to {after} is not in the table.", "")
        if before != self.state:
            self._say(2, f"Event {number} says that the run was {before}; the events before say {self.state}.", "")
        self.state = after
        self.final = after if after in FINAL else ""

    def _replanned(self, data: Mapping[str, Any]) -> None:
        listed = data.get("steps")
        self.generation += 1
        self.states = {str(step.get("key")): str(step.get("state")) for step in listed or () if isinstance(step, dict)}
        kept = set(data.get("kept") or ())
        self._series = {key: series for key, series in self._series.items() if key in kept}
        self._was_good &= kept

    def _of_step(self, number: int, kind: str, key: str, data: Mapping[str, Any]) -> None:
        if "to" in data and "from" in data:
            self._moved_step(number, kind, key, str(data["from"]), str(data["to"]))
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series()
        if kind == "step.started":
            self._started(number, key, series, data)
        elif kind == "approval.consumed":
            self.consumed[str(data.get("approval"))] += 1
            if not data.get("call_id") and data.get("kind") != "budget":
                series.consumed = str(data.get("approval"))
        elif kind in GATES:
            series.is_gated, series.consumed = True, ""
        elif kind == "step.rechecked":
            series.is_gated, series.consumed = False, ""
        elif kind == "step.retried":
            self._series[key] = Series()
        elif kind == "step.retrying":
            self._repeats(number, key, series, data)
        elif kind == "step.skip_asked":
            series.skip_asked = True
        elif kind == "step.skipped":
            self.skipped[key] = series.skip_asked
        elif kind == "step.superseded":
            self.superseded += 1
        elif kind.startswith("tool_call."):
            self._called(number, kind, key, data)

    def _moved_step(self, number: int, kind: str, key: str, before: str, after: str) -> None:
        known = self.states.get(key, "pending")
        if (before, kind, after) not in STEP_ARROWS:
            self._say(4, f"Event {number}: {kind} from {before} to {after} is not in the table.", key)
        if before != known:
            self._say(2, f"Event {number} says that the step was {before}; the events before say {known}.", key)
        self.states[key] = after
        if after in ("succeeded", "skipped") or (after == "failed" and self.plan.is_forgiven(key)):
            self._was_good.add(key)

    def _started(self, number: int, key: str, series: Series, data: Mapping[str, Any]) -> None:
        if self.control != "none":
            self._say(28, f"Event {number}: the step started while {self.control} was asked for.", key)
        missing = [other for other in self.plan.needs.get(key, ()) if other not in self._was_good]
        if missing:
            self._say(11, f"Event {number}: the step started before {', '.join(missing[:5])} had ended well.", key)
        if not self.admitted:
            self._say(11, f"Event {number}: the step started before the run was let in.", key)
        is_gated = series.is_gated or bool(series.consumed)
        granted = tuple(str(name) for name in data.get("profile_names") or ())
        self.starts.append(Start(key, str(data.get("execution_run")), is_gated, series.consumed, granted))

    def _repeats(self, number: int, key: str, series: Series, data: Mapping[str, Any]) -> None:
        definition = self.plan.definitions.get(key, {})
        if data.get("reason") == "lost":
            if definition.get("effects", "once") == "once":
                self._say(10, f"Event {number}: a lost attempt was repeated, though its effects must happen once.", key)
            return
        series.repeats += 1
        allowed = (definition.get("retry") or {}).get("max_attempts", 1) - 1
        if series.repeats > allowed:
            self._say(10, f"Event {number}: repeat {series.repeats}, and the plan allows {allowed}.", key)

    def _called(self, number: int, kind: str, key: str, data: Mapping[str, Any]) -> None:
        call = (key, str(data.get("call_id")))
        if kind == "tool_call.pending":
            self._pending_calls[call] = str(data.get("approval_id"))
        elif kind == "tool_call.finished":
            granted = self.plan.definitions.get(key, {}).get("tools") or ()
            if data.get("name") not in granted:
                self._say(
                    30, f"Event {number}: the agent used {str(data.get('name'))[:60]!r}, which it was not granted.", key
                )
            if call in self._pending_calls:
                self.decided_calls.append((*call, self._pending_calls.pop(call)))

    def _say(self, invariant: int, message: str, step: str) -> None:
        self.breaches.append(Breach(invariant, message, self.run.id, step))
