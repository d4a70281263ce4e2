"""The page on which the rest of a run is replanned: what stands, what is edited, and what that would change.

Steps that have started are not in the text; each keeps its place, and the edited ones fill the places between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.models import WorkflowVersion
from orchestration.plan_text import write_yaml
from orchestration.reading import impacts
from orchestration.reading.impacts import Replan
from policy.actors import Actor
from workbench.builder import verdicts
from workbench.plan_diff import diff_of
from workbench.run_page.steps import state_word
from workbench.run_page.view import RunView

Data = dict[str, Any]
UNSET: tuple[Any, ...] = (None, "", [], {}, False)


def open_steps(view: RunView, kept: set[str]) -> str:
    """The text to edit: steps as the plan has them, without what only says that nothing is set."""
    steps = [step for step in plan_of(view)["steps"] if step["key"] not in kept]
    bare = [{name: value for name, value in step.items() if value not in UNSET} for step in steps]
    return write_yaml({"steps": bare})


def composed(view: RunView, kept: set[str], edited: Sequence[Any]) -> list[Any]:
    """All steps of the new plan."""
    left, whole = list(edited), []
    for step in plan_of(view)["steps"]:
        if step["key"] in kept:
            whole.append(step)
        elif left:
            whole.append(left.pop(0))
    return [*whole, *left]


def frozen(view: RunView, kept: set[str]) -> list[Data]:
    return [
        {"key": row["key"], "name": view.name(row["key"]), "state": row["state"], "word": state_word(row)}
        for row in view.rows
        if row["key"] in kept
    ]


def preview(view: RunView, found: Replan, by: Actor) -> Data:
    """For the right side of `replan.html`."""
    sheet = found.sheet
    return {
        "diff": diff_of(plan_of(view), found.plan.as_data()),
        "gates": verdicts.gates_of([step for step in found.steps if step.key not in _settled(view)]),
        "warnings": verdicts.warnings(found.steps, view.run.project, by),
        "weakened": found.weakened,
        "lapsing": [view.name(key) for key in sheet["approvals_lapsing"]],
        "digest": sheet["digest"],
        "verb": "Ask for the replan" if found.weakened else "Replan",
    }


def mark_of(text: str) -> str:
    """So that what is confirmed is what was looked at."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()[:32]


def preview_of(view: RunView, steps: Sequence[Any], by: Actor) -> Data:
    return preview(view, impacts.replan_of(view.run, steps, by=by), by)


def plan_of(view: RunView) -> Mapping[str, Any]:
    found: Mapping[str, Any] = WorkflowVersion.objects.values_list("plan", flat=True).get(pk=view.run.version_id)
    return found


def _settled(view: RunView) -> set[str]:
    return {row["key"] for row in view.rows if row["state"] in ("succeeded", "skipped")}
