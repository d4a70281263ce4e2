"""A run as data: whole, or as a line of a list."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Count

from orchestration.engine import actions
from orchestration.engine.image import plan_image
from orchestration.models import StepRun, WorkflowRun
from orchestration.reading import approvals, finding, steps
from orchestration.reading.plain import Data, moment, money
from policy.actors import Actor
from policy.approvals import stranded

T = TypeVar("T")
LOOKS = 5
# Which step people look at first.
BESIDE = ("project", "feature", "workflow", "version", "created_by")
FOREMOST = ("running", "awaiting_approval", "interrupted", "retry_wait", "ready", "failed")


def run_detail(actor: Actor, run_id: str) -> Data:
    """The whole run. Raises NotFound."""
    return settled(finding.find_run(actor, run_id), whole_run)


def settled(run: WorkflowRun, read: Callable[[WorkflowRun], T]) -> T:
    """Read again where the run moved meanwhile: run and steps are told of the same event number."""
    for _ in range(LOOKS):
        found = read(run)
        now = WorkflowRun.objects.filter(pk=run.pk).values_list("last_sequence_no", flat=True).get()
        if now == run.last_sequence_no:
            break
        run = _again(run.pk)
    return found


def whole_run(run: WorkflowRun) -> Data:
    rows = steps.step_rows(run)
    states = [row["state"] for row in rows]
    return {
        **run_data(run),
        "current_step": None if run.is_final else _current_step(rows),
        "allowed_actions": actions.allowed_actions(run, states),
        "no_eligible_approver": _stranded(rows),
        "steps": steps.steps_data(rows, plan_image(run.version_id)),
    }


def _stranded(rows: Sequence[Data]) -> list[str]:
    """Steps behind a decision that nobody is left to make, as things stand now."""
    waiting = {f"step:{row['id']}": row["key"] for row in rows if row["state"] == "awaiting_approval"}
    asked = approvals.open_requests(waiting)
    return sorted({waiting[asked[pk]["subject"]] for pk in stranded(asked.values())})


def run_summaries(runs: Sequence[WorkflowRun]) -> list[Data]:
    """Lines of a list: with the number of steps in each state instead of the steps."""
    counted: dict[uuid.UUID, dict[str, int]] = {run.pk: {} for run in runs}
    present = StepRun.objects.filter(run__in=list(counted)).exclude(state="superseded").order_by()
    for run_id, state, count in present.values_list("run_id", "state").annotate(Count("id")):
        counted[run_id][state] = count
    return [
        {
            **run_data(run),
            "allowed_actions": actions.allowed_actions(run, list(counted[run.pk])),
            "step_counts": counted[run.pk],
        }
        for run in runs
    ]


def run_data(run: WorkflowRun) -> Data:
    return {
        "id": str(run.pk),
        "number": run.number,
        "mode": run.mode,
        "state": run.state,
        "state_reason": run.state_reason,
        "control": run.control,
        "project": run.project.slug,
        "feature": run.feature.slug,
        "workflow": {
            "id": str(run.workflow_id),
            "version": run.version.number,
            "name": run.workflow.name,
            "digest": run.version.digest,
        },
        "inputs": run.inputs,
        "created_by": run.created_by.get_username(),
        "created_at": moment(run.created_at),
        "started_at": moment(run.started_at),
        "finished_at": moment(run.finished_at),
        "deadline_at": moment(run.deadline_at),
        "checkpoint": _checkpoint(run),
        "workspace": {"kind": run.workspace_kind, "branch": run.branch, "base_commit": run.base_commit},
        "usage": {
            "input_tokens": run.input_tokens,
            "output_tokens": run.output_tokens,
            "cost_usd": money(run.cost_usd),
        },
        "last_sequence_no": run.last_sequence_no,
    }


def _checkpoint(run: WorkflowRun) -> Data | None:
    if run.checkpoint_sequence_no is None:
        return None
    return {
        "sequence_no": run.checkpoint_sequence_no,
        "at": moment(run.checkpoint_at),
        "workspace_commit": run.workspace_commit,
    }


def _current_step(rows: Sequence[Mapping[str, Any]]) -> str | None:
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["state"], row["key"])
    return next((first[state] for state in FOREMOST if state in first), None)


def _again(run_id: uuid.UUID) -> WorkflowRun:
    return WorkflowRun.objects.select_related(*BESIDE).defer("version__plan").get(pk=run_id)
