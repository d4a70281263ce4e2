"""One change of a run while it is made: steps moved, events numbered, audit entries gathered, written at the end.

Made by `door.change_run` alone. Lock order: run, project, audit head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Model
from django_fsm import TransitionNotAllowed

from orchestration.engine import rows
from orchestration.engine.errors import NotFound, WrongState
from orchestration.engine.image import Image, PlanImage
from orchestration.engine.statements import Statement, send
from orchestration.models import Event, StepRun, WorkflowRun
from policy import audit
from policy.actors import Actor

FEW = 3


@dataclass
class Change:
    image: Image
    actor: Actor
    now: datetime
    rules_revision: int
    folder: tuple[int, int] | None = None  # device and inode of the project's, as registered now
    _events: list[dict[str, Any]] = field(default_factory=list)
    _audits: list[tuple[int, audit.AuditEntry]] = field(default_factory=list)
    _moved: dict[int, tuple[str, set[str]]] = field(default_factory=dict)
    _run_columns: set[str] = field(default_factory=set)
    _inserts: list[Statement] = field(default_factory=list)
    settled: set[int] = field(default_factory=set)  # places whose dependants must be looked at
    nudges: set[int] = field(default_factory=set)  # step run ids that became ready
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    @property
    def run(self) -> WorkflowRun:
        return self.image.run

    def step(self, key: str) -> int:
        """The place of a step. Raises NotFound."""
        place = self.image.plan.place.get(key)
        if place is None:
            raise NotFound(f"This run has no step {key!r}.")
        return place

    def move(
        self,
        place: int,
        name: str,
        *arguments: Any,
        reason: str = "",
        data: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> StepRun:
        """One arrow of the step's machine, with the columns that go with it. Raises WrongState."""
        step = self.image.steps[place]
        before = str(step.state)
        method = getattr(step, name)
        try:
            method(*arguments)
        except TransitionNotAllowed:
            raise WrongState(
                f"That can't be done with step {step.key!r} now: {step.get_state_display().lower()}.", state=before
            ) from None
        self._moved.setdefault(place, (before, set()))[1].add("state")
        self.set(place, state_reason=reason, **columns)
        self.image.states.put(place, str(step.state))
        self.settled.add(place)
        if step.state == "ready":
            self.nudges.add(step.pk)
        else:
            self.nudges.discard(step.pk)
        self.event(_EVENT_OF[name], step.key, {"from": before, "to": str(step.state), "reason": reason, **(data or {})})
        return step

    def set(self, place: int, **columns: Any) -> None:
        """Columns of a step that change without an arrow."""
        step = self.image.steps[place]
        self._moved.setdefault(place, (str(step.state), set()))
        for name, value in columns.items():
            if getattr(step, name) != value:
                setattr(step, name, value)
                self._moved[place][1].add(name)

    def set_run(self, **columns: Any) -> None:
        for name, value in columns.items():
            setattr(self.run, name, value)
            self._run_columns.add(name)

    @property
    def has_news(self) -> bool:
        return bool(self._events)

    def touch_run(self, *names: str) -> None:
        """Columns of the run that were set by its own machine."""
        self._run_columns.update(names)

    def event(self, kind: str, step_key: str = "", data: Mapping[str, Any] | None = None) -> int:
        """Add a line to the run's history; its number is final because the run is locked."""
        self.run.last_sequence_no += 1
        self._events.append(
            {
                "run_id": self.run.pk,
                "sequence_no": self.run.last_sequence_no,
                "type": kind,
                "step_key": step_key,
                "at": self.now,
                "actor": self.actor.name,
                "data": dict(data or {}),
                "audit_sequence": None,
            }
        )
        return self.run.last_sequence_no

    def audited(self, action: str, *, step: str = "", reason: str = "", **what: Any) -> None:
        """Make the last event a matter of audit, too: one record, in this transaction."""
        entry = audit.AuditEntry(
            action=action,
            actor=self.actor,
            project=self.run.project.slug,
            run=str(self.run.pk),
            step=step,
            reason=reason,
            at=self.now,
            subject=f"run:{self.run.pk}",
            **what,
        )
        self._audits.append((len(self._events) - 1, entry))

    def insert(self, model: type[Model], row: Mapping[str, Any]) -> None:
        """A row that is written with the rest; nothing of this change reads it before."""
        self._inserts += rows.insertions(model, [row])

    def flush_steps(self) -> None:
        """Write what was moved so far; a replan then puts other steps in their places."""
        send(self._step_updates())
        self._moved.clear()

    def use_plan(self, plan: PlanImage, steps: list[StepRun]) -> None:
        """Go on under another plan version. Call after flush_steps."""
        self.image = Image(self.run, plan, steps)
        self.settled.clear()
        self.nudges.clear()

    def flush(self) -> None:
        """Write it all. Call once, last."""
        self._number_audits()
        columns = {name: getattr(self.run, name) for name in (*sorted(self._run_columns), "last_sequence_no")}
        events = rows.insertions(Event, self._events)
        run = rows.updating(WorkflowRun, columns, {"id": self.run.pk}, finds=1)
        send([*self._inserts, *events, *self._step_updates(), run])

    def _number_audits(self) -> None:
        if not self._audits:
            return
        records = audit.append_many([entry for _, entry in self._audits])
        for (place, _), record in zip(self._audits, records, strict=True):
            self._events[place]["audit_sequence"] = record.sequence

    def _step_updates(self) -> list[Statement]:
        """A few steps go in one statement that names all their columns; many only share it with their like."""
        moved = {place: columns for place, (_, columns) in sorted(self._moved.items()) if columns}
        together = tuple(sorted(set().union(*moved.values()))) if len(moved) <= FEW else ()
        groups: dict[tuple[str, ...], list[rows.Change]] = {}
        for place, columns in moved.items():
            step, names = self.image.steps[place], together or tuple(sorted(columns))
            values = {name: getattr(step, name) for name in names}
            groups.setdefault(names, []).append((values, {"id": step.pk, "state": self._moved[place][0]}))
        return [statement for changes in groups.values() for statement in rows.updates(StepRun, changes)]


def _events_of_moves() -> dict[str, str]:
    """Which event tells of which arrow, read off the machine itself."""
    return {
        method.__name__: arrow.custom["event"]
        for method, arrow in (
            (arrow.method, arrow) for arrow in StepRun._meta.get_field("state").get_all_transitions(StepRun)
        )
    }


_EVENT_OF = _events_of_moves()
