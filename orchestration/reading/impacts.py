"""What an action would do to a run, worked out under its lock by the code that would do it. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.engine import door, impact, locks, planning, replanning
from orchestration.engine.planning import StepPreview
from orchestration.models import WorkflowRun
from orchestration.reading.plain import Data
from orchestration.schema import Plan
from policy.actors import Actor


@dataclass(frozen=True)
class Replan:
    """`weakened`: why somebody else has to agree first."""

    plan: Plan
    steps: Sequence[StepPreview]
    weakened: Sequence[Mapping[str, str]]
    sheet: Data


def impact_of(run: WorkflowRun, action: str, step_key: str, *, by: Actor) -> Data:
    """The impact sheet. Raises InvalidInput, NotFound."""
    with locks.run_transaction(run.pk):
        return impact.sheet(door.begin(run.pk, by), action, step_key)


def outputs_read(run: WorkflowRun, step_key: str, *, by: Actor) -> dict[str, list[str]]:
    """What steps that are still to come read of this one: by name, who reads it."""
    with locks.run_transaction(run.pk):
        return {one["name"]: one["read_by"] for one in impact.outputs_read(door.begin(run.pk, by), step_key)}


def replan_of(run: WorkflowRun, steps: Sequence[Mapping[str, Any]], *, by: Actor) -> Replan:
    """A replan with these steps. Raises InvalidPlan, InvalidInput."""
    with locks.run_transaction(run.pk):
        change = door.begin(run.pk, by)
        plan = replanning.checked_plan(change, steps)
        return Replan(
            plan,
            planning.preview(plan, change.run.project),
            replanning.weakened(change, plan),
            impact.sheet(change, "replan", ""),
        )


def kept_by_replan(run: WorkflowRun, *, by: Actor) -> set[str]:
    """What has started, and so stands as it is."""
    with locks.run_transaction(run.pk):
        return replanning.kept_keys(door.begin(run.pk, by))
