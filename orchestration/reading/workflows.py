"""Plans as data: stored ones with what policy said of each step, and drafts with what it would say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery

from orchestration import plan_rules
from orchestration.engine import gates
from orchestration.engine.planning import StepPreview
from orchestration.models import Edge, Step, Workflow, WorkflowVersion
from orchestration.reading.plain import Data, moment, policy
from orchestration.schema import Plan


def workflow_data(workflow: Workflow, version: WorkflowVersion) -> Data:
    """A workflow at one of its versions, in two statements beside those that found it."""
    return {
        "id": str(workflow.pk),
        "version": version.number,
        "digest": version.digest,
        "mode": workflow.mode,
        "project": workflow.project.slug,
        "feature": workflow.feature.slug,
        "name": version.plan["name"],
        "description": version.plan.get("description", ""),
        "steps": _steps(version),
        "edges": _edges(version),
        "plan": version.plan,
        "created_at": moment(workflow.created_at),
        "created_by": workflow.created_by.get_username(),
        "version_created_at": moment(version.created_at),
        "version_created_by": version.created_by.get_username(),
    }


def with_newest(workflows: QuerySet[Workflow]) -> QuerySet[Any]:
    """Number, digest and number of steps of the newest version, beside each workflow."""
    newest = WorkflowVersion.objects.filter(workflow=OuterRef("pk")).order_by("-number")
    counted = newest.annotate(count=Count("steps"))
    return workflows.annotate(
        newest_number=Subquery(newest.values("number")[:1]),
        newest_digest=Subquery(newest.values("digest")[:1]),
        newest_steps=Subquery(counted.values("count")[:1]),
    )


def workflow_summaries(workflows: Sequence[Any]) -> list[Data]:
    """Lines of a list; from `with_newest`."""
    return [
        {
            "id": str(workflow.pk),
            "version": workflow.newest_number,
            "digest": workflow.newest_digest,
            "mode": workflow.mode,
            "project": workflow.project.slug,
            "feature": workflow.feature.slug,
            "name": workflow.name,
            "step_count": workflow.newest_steps,
            "created_at": moment(workflow.created_at),
            "created_by": workflow.created_by.get_username(),
        }
        for workflow in workflows
    ]


def preview_data(plan: Plan, previews: Sequence[StepPreview]) -> Data:
    """Steps and edges of a draft."""
    return {
        "steps": [preview_of(step) for step in previews],
        "edges": [
            {"from": previews[other].key, "to": previews[index].key}
            for index, needed in enumerate(plan_rules.needs_of(plan))
            for other in needed
        ],
    }


def preview_of(step: StepPreview) -> Data:
    verdict = policy(gates.verdict_data(step.verdict))
    return {"key": step.key, "index": step.index, "type": step.type, "name": step.name, "policy": verdict}


def _steps(version: WorkflowVersion) -> list[Data]:
    rows = Step.objects.filter(version=version).order_by("index").values_list("key", "index", "type", "name", "policy")
    return [
        {"key": key, "index": index, "type": kind, "name": name, "policy": policy(verdict)}
        for key, index, kind, name, verdict in rows
    ]


def _edges(version: WorkflowVersion) -> list[Data]:
    edges = Edge.objects.filter(version=version).order_by("to_step__index", "from_step__index")
    return [{"from": start, "to": end} for start, end in edges.values_list("from_step__key", "to_step__key")]
