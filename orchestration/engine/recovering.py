"""What the sweeper does: find what nobody drives any more, each row in its own transaction.

Ended leases, due retries, expired approvals, runs past their time, queued runs with a free place, ready steps whose
nudge was lost. Doing it twice, or in two processes, changes nothing.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from orchestration import dispatch
from orchestration.engine import checkpoints, controlling, finishing, launching, overriding, rows, starting, usage
from orchestration.engine.change import Change
from orchestration.engine.door import change_run, database_now
from orchestration.engine.errors import EngineError, Unfilled
from orchestration.engine.filling import filled_definition
from orchestration.engine.locks import write_transaction
from orchestration.engine.starting import LEASE, Assignment
from orchestration.executors.base import Outcome
from orchestration.models import ExecutionRun, StepRun, WorkflowRun
from policy.actors import Actor
from policy.models import Approval, Project
from policy.models.approvals import ApprovalState

logger = logging.getLogger(__name__)
SWEEPER = Actor.system("sweeper")
BATCH = 200


@dataclass(frozen=True)
class Orphan:
    """An open attempt whose owner is gone or silent."""

    attempt_id: uuid.UUID
    run_id: uuid.UUID
    step_key: str
    owner: str
    is_portable: bool = False  # an agent's checkpoint lies in the database: any machine can go on from it


def sweep() -> int:
    """Everything but orphans, which need a worker. Answers how many rows were repaired."""
    now = database_now()
    steps: list[tuple[Callable[[Any], Any], Iterable[Any]]] = [
        (_due, list(_due_steps(now))),
        (_expire, list(_expired_approvals(now))),
        (_past_deadline, list(_late_runs(now))),
        (admit_next, list(_projects_with_queue())),
    ]
    repaired = sum(_each(repair, row) for repair, found in steps for row in found)
    nudge_ready()
    return repaired


def orphans(is_dead: Callable[[str], bool]) -> list[Orphan]:
    """Open attempts that nobody drives: their lease is over, or their owner is known to be dead."""
    now = database_now()
    found = ExecutionRun.objects.filter(finished_at=None).select_related("step_run")[: BATCH * 5]
    return [
        Orphan(attempt.pk, attempt.run_id, attempt.step_run.key, attempt.owner, attempt.step_run.type == "sdk")
        for attempt in found
        if (attempt.lease_expires_at and attempt.lease_expires_at <= now) or is_dead(attempt.owner)
    ]


def take_up(orphan: Orphan, *, owner: str) -> Assignment | None:
    """Make the attempt this owner's, with all that is known of it; None where somebody was faster."""

    def body(change: Change) -> Assignment | None:
        changes = {"owner": owner, "lease_expires_at": change.now + LEASE}
        found = rows.update(ExecutionRun, changes, id=orphan.attempt_id, owner=orphan.owner, finished_at=None)
        if found != 1:
            return None
        place = change.step(orphan.step_key)
        attempt = ExecutionRun.objects.get(pk=orphan.attempt_id)
        change.event("attempt.taken_up", orphan.step_key, {"attempt": attempt.number})
        definition = _definition(change, place)
        carried = checkpoints.carried(attempt.step_run_id, definition, before=attempt.token)
        return starting.assignment(
            change,
            place,
            attempt.pk,
            definition,
            handle=attempt.handle or {},
            sandbox=attempt.sandbox,
            checkpoint=attempt.checkpoint or carried,
            usage_before=usage.of_checkpoint(carried),
            log_state=attempt.log_state,
            log_size=attempt.log_size,
            log_lines=attempt.log_lines,
        )

    return change_run(orphan.run_id, Actor.system("worker"), body)


def let_go(attempt_id: uuid.UUID, *, owner: str) -> None:
    """This worker can't go on with an attempt that it holds; whoever sweeps next takes it up where it stands."""
    nobody = f"{owner.partition('|')[0]}|0||let go"
    with write_transaction():
        rows.update(ExecutionRun, {"owner": nobody[:100]}, id=attempt_id, owner=owner, finished_at=None)


def give_up(orphan: Orphan, why: str) -> None:
    """Nobody can reach this work any more: how it ended is unknown."""

    def body(change: Change) -> None:
        place = change.step(orphan.step_key)
        outcome = Outcome("interrupted", reason="lost", error=why, group_empty=False)
        finishing.close_attempt(change, place, orphan.attempt_id, outcome, owner=orphan.owner)
        finishing.settle_outcome(change, place, outcome)

    change_run(orphan.run_id, SWEEPER, body)


def renew_leases(owner: str) -> list[tuple[uuid.UUID, str, str]]:
    """One statement for all leases of a worker process; answers its open attempts, their runs' control flags, and how
    they stand to their providers."""
    with write_transaction():
        mine = ExecutionRun.objects.filter(owner=owner, finished_at=None)
        mine.update(lease_expires_at=database_now() + LEASE)
    return list(mine.values_list("id", "run__control", "sync_status"))


def admit_next(project_id: int) -> bool:
    """Let the oldest queued run of a project begin, where there is a place for it."""
    waiting = WorkflowRun.objects.filter(project_id=project_id, admitted=False, state="queued", control="none")
    run = waiting.order_by("created_at").first()
    return run is not None and change_run(run.pk, SWEEPER, _admit)


def nudge_ready(project_id: int | None = None) -> None:
    """Offer ready steps again: their nudge may have been lost, or a slot may be free now.

    Each project's first, then each one's second, and so on: one with many ready steps hides nobody else's.
    """
    ready = StepRun.objects.filter(state="ready", run__control="none", run__admitted=True)
    if project_id is not None:
        ready = ready.filter(run__project_id=project_id)
    turn = Window(RowNumber(), partition_by=F("run__project_id"), order_by=F("id").asc())
    found = ready.annotate(turn=turn).order_by("turn", "id").values_list("run__project_id", "run_id", "id")
    for project, run_id, step_run_id in found[:BATCH]:
        dispatch.nudge(project, run_id, [step_run_id])


def _admit(change: Change) -> bool:
    if change.run.admitted or change.run.is_final:
        return False
    project = Project.objects.select_for_update(no_key=True).get(pk=change.run.project_id)
    if not launching.is_admissible(project, change.run.workspace_kind):
        return False
    change.set_run(admitted=True)
    change.event("run.admitted")
    change.settled.update(range(len(change.image.states)))
    return True


def _due_steps(now: datetime) -> Iterable[tuple[uuid.UUID, str]]:
    found = StepRun.objects.filter(state="retry_wait", due_at__lte=now, run__control="none")
    return found.values_list("run_id", "key")[:BATCH]


def _due(row: tuple[uuid.UUID, str]) -> None:
    def body(change: Change) -> None:
        place = change.step(row[1])
        step = change.image.steps[place]
        if step.state == "retry_wait" and step.due_at is not None and step.due_at <= change.now:
            change.move(place, "due", due_at=None)

    change_run(row[0], SWEEPER, body)


def _expired_approvals(now: datetime) -> Iterable[tuple[uuid.UUID, str]]:
    found = StepRun.objects.filter(
        state="awaiting_approval", approval__state=ApprovalState.PENDING, approval__expires_at__lte=now
    )
    return found.values_list("run_id", "key")[:BATCH]


def _expire(row: tuple[uuid.UUID, str]) -> None:
    def body(change: Change) -> None:
        place = change.step(row[1])
        approval = change.image.steps[place].approval
        if approval is None or approval.state != "pending" or approval.expires_at is None:
            return
        if approval.expires_at > change.now:
            return
        expire_within(change, place, approval)

    change_run(row[0], SWEEPER, body)


def expire_within(change: Change, place: int, approval: Approval) -> None:
    """The request is over. The step stays blocked and says so, or fails where the plan says so."""
    key = change.image.steps[place].key
    approval.expire()
    approval.save(update_fields=["state"])
    change.event("approval.expired", key, {"approval": str(approval.pk)})
    change.audited("approval.expired", step=key, payload_digest=approval.digest)
    if overriding.is_of_denial(approval):
        overriding.refused(change, place, "The rules forbid it, and nobody decided in time to run it all the same.")
    elif change.image.plan.definitions[place].get("on_expire") == "fail":
        change.move(place, "expire", reason="expired", error="Nobody decided in time.", finished_at=change.now)
    else:
        change.set(place, state_reason="approval_expired")


def _late_runs(now: datetime) -> Iterable[uuid.UUID]:
    found = WorkflowRun.objects.filter(deadline_at__lte=now, finished_at=None).exclude(control="cancel")
    return found.values_list("id", flat=True)[:BATCH]


def _past_deadline(run_id: uuid.UUID) -> None:
    def body(change: Change) -> None:
        if change.run.is_final or change.run.control == "cancel":
            return
        change.event("run.timed_out", "", {"deadline": str(change.run.deadline_at)})
        change.audited("run.timed_out", reason="The run's time was over.")
        controlling.cancel_within(change, reason="timeout")

    change_run(run_id, SWEEPER, body)


def _projects_with_queue() -> Iterable[int]:
    found = WorkflowRun.objects.filter(state="queued", admitted=False)
    return found.order_by().values_list("project_id", flat=True).distinct()


def _definition(change: Change, place: int) -> dict[str, Any]:
    try:
        return filled_definition(change.image, place)
    except Unfilled:
        # Its inputs were there when it started; what it does now no longer depends on them.
        return dict(change.image.plan.definitions[place])


def _each(repair: Callable[[Any], Any], row: Any) -> int:
    try:
        repair(row)
    except (EngineError, DatabaseError):
        logger.warning("the sweeper could not repair %s", row, exc_info=True)
        return 0
    return 1
