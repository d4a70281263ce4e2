"""What policy says of a draft: each step's risk, the decisions that will be asked, and gates nobody could release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.engine import gates, planning
from orchestration.engine.planning import StepPreview
from orchestration.models import WorkflowVersion
from orchestration.schema import Plan
from policy import approvals
from policy.actors import Actor
from policy.approvals import ApprovalSpec
from policy.models import Project
from workbench.run_page.asking import people

Data = dict[str, Any]


def look(plan: Plan, project: Project) -> list[StepPreview]:
    return planning.preview(plan, project)


def asks(step: StepPreview) -> bool:
    return step.type == "approval" or step.verdict.verdict in gates.ASKS


def gates_of(steps: Sequence[StepPreview]) -> list[Data]:
    return [_gate(step) for step in steps if asks(step)]


def _gate(step: StepPreview) -> Data:
    spec = spec_of(step)
    number = "" if spec.quorum == 1 else f"{spec.quorum} of "
    level = ", password entered again" if spec.level == "elevated" else ""
    return {
        "step": step.name,
        "who": f"{number}{people(spec.approvers)}{level}",
        "risk": step.verdict.risk,
        "reasons": step.verdict.reasons,
    }


def spec_of(step: StepPreview) -> ApprovalSpec:
    given = step.definition
    return ApprovalSpec(
        approvers=tuple(step.verdict.approvers or given.get("approvers") or gates.DEFAULT_APPROVERS),
        quorum=given.get("quorum", 1),
        level=gates.level_of(step.verdict),
    )


def warnings(steps: Sequence[StepPreview], project: Project, by: Actor) -> list[str]:
    """What is valid and will not go well: denied steps, gates that can't be released if this person launches."""
    denied = [f"Policy forbids “{step.name}”; a run stops there." for step in steps if step.verdict.verdict == "deny"]
    return [*denied, *_unsatisfiable(steps, project, by)]


def _unsatisfiable(steps: Sequence[StepPreview], project: Project, by: Actor) -> list[str]:
    missing: dict[ApprovalSpec, int] = {}
    told = []
    for step in steps:
        if not asks(step):
            continue
        spec = spec_of(step)
        if spec not in missing:
            missing[spec] = approvals.missing_eligible(spec, project, [by.user_id] if by.user_id else [])
            if missing[spec]:
                told.append(
                    f"Nobody could release “{step.name}”: {spec.quorum} of {people(spec.approvers)} must decide, not "
                    f"counting you, and the project lacks {missing[spec]}."
                )
    return told


def gates_of_version(version: WorkflowVersion) -> list[Data]:
    """As the rules stood when it was saved; the launch judges anew."""
    rows = version.steps.order_by("index").values_list("name", "type", "definition", "policy")
    return [
        _told(name, definition, verdict)
        for name, kind, definition, verdict in rows
        if kind == "approval" or verdict.get("verdict") in gates.ASKS
    ]


def _told(name: str, definition: Data, verdict: Data) -> Data:
    approvers = verdict.get("approvers") or definition.get("approvers") or gates.DEFAULT_APPROVERS
    quorum = definition.get("quorum", 1)
    return {
        "step": name,
        "who": people(approvers) if quorum == 1 else f"{quorum} of {people(approvers)}",
        "risk": verdict.get("risk", "low"),
    }
