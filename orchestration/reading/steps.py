"""The steps of a run as data, in two statements, one more where anything was decided, and one where agents worked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestration.engine.image import PlanImage
from orchestration.models import ExecutionRun, StepRun, WorkflowRun
from orchestration.reading import approvals
from orchestration.reading.plain import Data, moment, policy, seconds, usage

COLUMNS = (
    "id", "key", "type", "state", "state_reason", "error", "risk", "verdict", "attempt", "execution_run_id",
    "approval_id", "started_at", "finished_at", "due_at", "exit_code", "outputs", "checks", "usage",
)  # fmt: skip
NOTHING_OUTSIDE: Data = {"sync_status": None, "sync_error": "", "last_reconciled_at": None}


def step_rows(run: WorkflowRun) -> list[Data]:
    """The present step runs, in the plan's order."""
    present = StepRun.objects.filter(run=run).exclude(state="superseded")
    return list(present.order_by("step_index", "id").values(*COLUMNS))


def steps_data(rows: list[Data], plan: PlanImage) -> list[Data]:
    asked = approvals.by_step(row["id"] for row in rows)
    synced = _synced(row["execution_run_id"] for row in rows if row["type"] == "sdk")
    return [
        _step(row, plan, asked.get(row["id"], [])) | synced.get(row["execution_run_id"], NOTHING_OUTSIDE)
        for row in rows
    ]


def _synced(attempts: Iterable[Any]) -> dict[Any, Data]:
    """How the agents' attempts stand to their providers."""
    ids = [pk for pk in attempts if pk is not None]
    found = ExecutionRun.objects.filter(pk__in=ids).values_list("pk", *NOTHING_OUTSIDE) if ids else []
    return {
        pk: {"sync_status": status, "sync_error": error, "last_reconciled_at": moment(at)}
        for pk, status, error, at in found
    }


def _step(row: Mapping[str, Any], plan: PlanImage, asked: list[Data]) -> Data:
    place = plan.place[row["key"]]
    definition = plan.definitions[place]
    counted = str(row["approval_id"])
    return {
        "key": row["key"],
        "index": place,
        "name": definition["name"],
        "type": row["type"],
        "needs": [plan.keys[needed] for needed in plan.graph.needs[place]],
        "state": row["state"],
        "state_reason": row["state_reason"],
        "attempt": row["attempt"],
        "risk": row["risk"],
        "policy": policy(row["verdict"] or plan.policies[place]),
        "started_at": moment(row["started_at"]),
        "finished_at": moment(row["finished_at"]),
        "duration_seconds": seconds(row["started_at"], row["finished_at"]),
        "due_at": moment(row["due_at"]),
        "exit_code": row["exit_code"],
        "error": row["error"],
        "outputs": row["outputs"],
        "checks": row["checks"],
        "usage": usage(row["usage"]),
        "execution_run_id": None if row["execution_run_id"] is None else str(row["execution_run_id"]),
        "provider": definition.get("provider"),
        "approval": next((approval for approval in asked if approval["id"] == counted), None),
        "approvals": asked,
    }
