"""running -> whatever the work came to. The worker's word counts only while the attempt is its own.

Finishing a step and starting the next on the same worker is one transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from orchestration.engine import agent_gates, gates, promoting, rows, usage
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.drift import Look, LookFirst
from orchestration.engine.errors import LostAttempt
from orchestration.engine.starting import Assignment, start_within
from orchestration.executors.base import Outcome
from orchestration.models import Artifact, Event, ExecutionRun
from orchestration.models.run import SETTLED
from policy.actors import Actor

MAX_LOSSES = 3
JITTER_FREE_MAXIMUM = 86_400.0


@dataclass(frozen=True)
class Left:
    """What the work left beside its outcome: the workspace as it is now, and the files that were stored."""

    commit: str = ""
    tree: str = ""
    head: str = ""
    artifacts: Sequence[Mapping[str, Any]] = ()
    diff: Mapping[str, Any] | None = None  # the artifact that shows what the step changed
    seen: int | None = None  # the run's checkpoint_sequence_no before the look at the files


class Overtaken(Exception):
    """Another step's end was written since the look at the files, which may be the older one: look again."""


def finish_attempt(
    assignment: Assignment, outcome: Outcome, *, owner: str, left: Left = Left(), start_next: bool = True
) -> Assignment | None:
    """Write how an attempt ended; answer the next one if this worker may go on. Raises LostAttempt, Overtaken."""
    worker = Actor.system("worker")

    def body(change: Change) -> Assignment | None:
        place = change.step(assignment.step_key)
        close_attempt(change, place, assignment.attempt_id, outcome, owner=owner, tree=left.tree)
        _keep_artifacts(change, place, assignment.attempt_id, left)
        _keep_workspace(change, left)
        usage.count(change, outcome.usage)
        settle_outcome(change, place, outcome)
        if not start_next:
            return None
        promoting.promote(change, change.settled)
        look = Look(left.tree, head=left.head) if left.tree else None
        following = start_within(change, owner=owner, has_slot=True, look=look)
        # Without a look at the files the nudge of the ready step leads to one.
        return None if isinstance(following, LookFirst) else following

    return change_run(assignment.run_id, worker, body)


def settle_outcome(change: Change, place: int, outcome: Outcome) -> None:
    """One place turns an outcome into a state. An agent that is done comes back to none of its calls."""
    _move_on(change, place, outcome)
    if change.image.states[place] in SETTLED:
        agent_gates.withdraw_parts(change, place)


def _move_on(change: Change, place: int, outcome: Outcome) -> None:
    columns = _columns(change, place, outcome)
    if change.run.control == "cancel":
        unknown = outcome.kind == "interrupted" or not outcome.group_empty
        change.move(place, "cancel", reason="effect_unknown" if unknown else _why_canceled(change), **columns)
        return
    match outcome.kind:
        case "succeeded":
            change.move(place, "complete", outputs=dict(outcome.outputs), losses=0, **columns)
        case "never_started":
            change.move(place, "give_back", attempt=change.image.steps[place].attempt - 1, execution_run_id=None)
        case "interrupted":
            _lost(change, place, outcome, columns)
        case "checkpoint":
            _checkpointed(change, place, outcome, columns)
        case "canceled":
            # Nobody asked the run to cancel: somebody ended the work from outside.
            _failed(change, place, Outcome("failed", reason="canceled", error=outcome.error), columns)
        case _:
            _failed(change, place, outcome, columns)


def _why_canceled(change: Change) -> str:
    timed_out = Event.objects.filter(run_id=change.run.pk, type="run.timed_out").exists()
    return "timeout" if timed_out else "canceled"


def close_attempt(
    change: Change, place: int, attempt_id: uuid.UUID, outcome: Outcome, *, owner: str, tree: str = ""
) -> None:
    """Close the attempt's row, if it is still this owner's. Raises LostAttempt."""
    ended = {"never_started": "returned"}.get(outcome.kind, outcome.kind)
    changes = {
        "outcome": ended,
        "reason": outcome.reason,
        "error": outcome.error[:4000],
        "finished_at": change.now,
        "lease_expires_at": None,
        "exit_code": outcome.exit_code,
        "checks": [vars(check) for check in outcome.checks],
        "usage": dict(outcome.usage),
        "extension": dict(outcome.extension),
        "tree_after": tree,
        # An answer that the provider still owes is nobody's any more: the reconciler finds out what came of it.
        "sync_status": "stale" if outcome.extension.get("open_response") else "in_sync",
        "sync_error": "",
    }
    if rows.update(ExecutionRun, changes, id=attempt_id, owner=owner, finished_at=None) != 1:
        raise LostAttempt("This attempt belongs to another worker by now, or is over.")


def _columns(change: Change, place: int, outcome: Outcome) -> dict[str, Any]:
    data = {"exit_code": outcome.exit_code} if outcome.exit_code is not None else {}
    return {
        "finished_at": change.now,
        "exit_code": outcome.exit_code,
        "error": outcome.error[:4000],
        "checks": [vars(check) for check in outcome.checks],
        "usage": usage.plus(change.image.steps[place].usage, outcome.usage),
        "data": data,
    }


def _failed(change: Change, place: int, outcome: Outcome, columns: dict[str, Any]) -> None:
    step = change.image.steps[place]
    retry = change.image.plan.definitions[place].get("retry") or {}
    done = step.attempt - step.series_start
    if done < retry.get("max_attempts", 1) and outcome.reason != "policy":
        wait = min(
            retry.get("backoff_seconds", 5.0) * retry.get("backoff_factor", 2.0) ** (done - 1), JITTER_FREE_MAXIMUM
        )
        columns["data"] = {**columns["data"], "wait_seconds": wait}
        change.move(place, "retry_later", reason=outcome.reason, due_at=change.now + timedelta(seconds=wait), **columns)
        return
    change.move(place, "fail", reason=outcome.reason or "failed", outputs=dict(outcome.outputs), **columns)


def _lost(change: Change, place: int, outcome: Outcome, columns: dict[str, Any]) -> None:
    step, definition = change.image.steps[place], change.image.plan.definitions[place]
    losses = step.losses + 1
    is_safe = definition.get("effects", "once") != "once" and losses < MAX_LOSSES and outcome.group_empty
    if is_safe and change.run.control != "cancel":
        change.move(place, "retry_later", reason="lost", losses=losses, due_at=change.now, **columns)
        return
    change.move(place, "interrupt", reason="interrupted", losses=losses, **columns)
    change.audited("step.interrupted", step=step.key, reason=outcome.error)


def _checkpointed(change: Change, place: int, outcome: Outcome, columns: dict[str, Any]) -> None:
    if not agent_gates.block(change, place, outcome, usage=columns["usage"]):
        nobody = "The agent stopped to wait for a decision, and nobody was asked for one."
        _failed(change, place, Outcome("failed", reason=outcome.reason or "policy", error=nobody), columns)


def _keep_artifacts(change: Change, place: int, attempt_id: uuid.UUID, left: Left) -> None:
    artifacts = [*left.artifacts, *([left.diff] if left.diff else [])]
    if not artifacts:
        return
    step = change.image.steps[place]
    common = {"run_id": change.run.pk, "step_run_id": step.pk, "attempt_id": attempt_id, "created_at": change.now}
    rows.insert(Artifact, [{"id": uuid.uuid4(), **common, **artifact} for artifact in artifacts])
    names = [artifact["name"] for artifact in artifacts]
    change.event("step.artifacts", step.key, {"count": len(names), "names": names[:20]})


def _keep_workspace(change: Change, left: Left) -> None:
    if not left.tree:
        return
    if left.seen != change.run.checkpoint_sequence_no and left.tree != change.run.workspace_tree:
        raise Overtaken
    change.set_run(checkpoint_sequence_no=change.run.last_sequence_no, checkpoint_at=change.now)
    if left.head != change.run.workspace_head:
        change.set_run(workspace_head=left.head)
    if left.tree != change.run.workspace_tree:
        change.set_run(workspace_tree=left.tree, workspace_commit=left.commit)
        gates.renew_lapsed(change)
