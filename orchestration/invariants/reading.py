"""Reads runs with all that belongs to them, a batch at a time: a handful of statements each, however many runs."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from django.db import connection
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from orchestration.invariants.facts import (
    ApprovalRow,
    ArtifactRow,
    AttemptRow,
    AuditRow,
    DecisionRow,
    PlanFacts,
    RunFacts,
    RunRow,
    StepRow,
)
from orchestration.models import Artifact, Edge, Event, ExecutionRun, Step, StepRun, WorkflowRun, WorkflowVersion
from policy.models import Approval, AuditRecord, Decision

RUNS_AT_ONCE = 100
NAMES_AT_ONCE = 500
PLANS_KEPT = 500
Row = TypeVar("Row")
EventRow = tuple[str, int, str, str, Any, int | None]
EVENT_COLUMNS = ("run_text", "sequence_no", "type", "step_key", "data", "audit_sequence")


def batches(runs: QuerySet[WorkflowRun]) -> Iterator[list[RunRow]]:
    """All these runs by id, without keeping them: the next batch begins behind the last one."""
    ordered = runs.order_by("pk")
    found = _rows(RunRow, ordered[:RUNS_AT_ONCE])
    while found:
        yield found
        found = _rows(RunRow, ordered.filter(pk__gt=found[-1].id)[:RUNS_AT_ONCE])


class Plans:
    """Plan versions by id, least recently used first: runs of one workflow mostly share theirs."""

    def __init__(self) -> None:
        self._kept: OrderedDict[uuid.UUID, PlanFacts] = OrderedDict()

    def of(self, rows: Sequence[RunRow]) -> dict[uuid.UUID, PlanFacts]:
        wanted = {row.version_id for row in rows}
        for plan in _plans([pk for pk in wanted if pk not in self._kept]):
            self._kept[plan.id] = plan
        for pk in wanted:
            self._kept.move_to_end(pk)
        found = {pk: self._kept[pk] for pk in wanted}
        while len(self._kept) > PLANS_KEPT:
            self._kept.popitem(last=False)
        return found


def facts_of(rows: Sequence[RunRow], plans: Plans) -> dict[uuid.UUID, RunFacts]:
    known = plans.of(rows)
    found = {row.id: RunFacts(row, known[row.version_id]) for row in rows}
    ids = list(found)
    run_of_step: dict[int, uuid.UUID] = {}
    for step in _rows(StepRow, StepRun.objects.filter(run_id__in=ids).order_by("run_id", "generation", "step_index")):
        found[step.run_id].steps.append(step)
        run_of_step[step.id] = step.run_id
    _add_attempts(found, run_of_step)
    _add_decisions(found, run_of_step)
    for artifact in _rows(ArtifactRow, Artifact.objects.filter(run_id__in=ids).order_by("id")):
        found[artifact.run_id].artifacts.append(artifact)
    for audit in _rows(AuditRow, AuditRecord.objects.filter(run__in=[str(pk) for pk in ids]).order_by("sequence")):
        found[uuid.UUID(audit.run)].audits.append(audit)
    return found


def events_of(rows: Sequence[RunRow]) -> Iterator[EventRow]:
    """The events of these runs, each run's in order. A stream: one run may have a million."""
    found = Event.objects.filter(run_id__in=[row.id for row in rows]).order_by("run_id", "sequence_no", "id")
    # As the database writes it: to make a UUID of each row's costs as much as all checks of the event.
    written = found.annotate(run_text=Cast("run_id", TextField()))
    return written.values_list(*EVENT_COLUMNS).iterator(chunk_size=5000)


def as_written(pk: uuid.UUID) -> str:
    """How `events_of` names a run."""
    return str(pk) if connection.vendor == "postgresql" else pk.hex


def _add_attempts(found: dict[uuid.UUID, RunFacts], run_of_step: dict[int, uuid.UUID]) -> None:
    attempts = ExecutionRun.objects.filter(run_id__in=list(found)).order_by(
        "run_id", "step_run_id", "token", "started_at"
    )
    for attempt in _rows(AttemptRow, attempts):
        facts = found[attempt.run_id]
        if run_of_step.get(attempt.step_run_id) == attempt.run_id:
            facts.attempts.setdefault(attempt.step_run_id, []).append(attempt)
        else:
            facts.stray_attempts.append(attempt)


def _add_decisions(found: dict[uuid.UUID, RunFacts], run_of_step: dict[int, uuid.UUID]) -> None:
    run_of_approval: dict[uuid.UUID, uuid.UUID] = {}
    for part in _parts([f"step:{pk}" for pk in run_of_step]):
        for approval in _rows(ApprovalRow, Approval.objects.filter(subject__in=part).order_by("requested_at", "id")):
            run_id = run_of_step[int(approval.subject.removeprefix("step:"))]
            found[run_id].approvals.setdefault(approval.subject, []).append(approval)
            run_of_approval[approval.id] = run_id
    for names in _parts(list(run_of_approval)):
        for decision in _rows(DecisionRow, Decision.objects.filter(approval_id__in=names).order_by("id")):
            facts = found[run_of_approval[decision.approval_id]]
            facts.decisions.setdefault(decision.approval_id, []).append(decision)


def _plans(ids: Sequence[uuid.UUID]) -> Iterator[PlanFacts]:
    steps: dict[uuid.UUID, list[Any]] = {pk: [] for pk in ids}
    edges: dict[uuid.UUID, list[Any]] = {pk: [] for pk in ids}
    for pk, *step in (
        Step.objects.filter(version_id__in=ids)
        .order_by("version_id", "index")
        .values_list("version_id", "key", "definition", "policy")
    ):
        steps[pk].append(tuple(step))
    for pk, *edge in (
        Edge.objects.filter(version_id__in=ids).order_by().values_list("version_id", "from_step__key", "to_step__key")
    ):
        edges[pk].append(tuple(edge))
    rows = WorkflowVersion.objects.filter(pk__in=ids).order_by("pk").values_list("pk", "created_at", "plan__env")
    for row in rows:
        yield PlanFacts.of(row, steps[row[0]], edges[row[0]])


def _rows(shape: type[Row], found: QuerySet[Any, Any]) -> list[Row]:
    names = [field.name for field in fields(shape)]  # type: ignore[arg-type]
    return [shape(*values) for values in found.values_list(*names)]


def _parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + NAMES_AT_ONCE] for start in range(0, len(values), NAMES_AT_ONCE))
