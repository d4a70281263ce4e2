"""Projects as lines of a list, with how much runs, waits and failed in each: two statements."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse

from orchestration.models import Feature, WorkflowRun
from policy.models import Project

ACTIVE = ("queued", "running", "paused")


def project_rows(projects: QuerySet[Project]) -> list[dict[str, Any]]:
    features = Feature.objects.filter(project=OuterRef("pk")).order_by().values("project").annotate(n=Count("pk"))
    found = list(
        projects.order_by("name").annotate(n=Coalesce(Subquery(features.values("n"), output_field=IntegerField()), 0))
    )
    counts = _counts(found)
    return [
        {
            "name": project.name,
            "url": reverse("project", args=[project.slug]),
            "features": project.n,
            "runs_active": sum(counts.get((project.pk, state), 0) for state in ACTIVE),
            "runs_blocked": counts.get((project.pk, "blocked"), 0),
            "runs_failed": counts.get((project.pk, "failed"), 0),
        }
        for project in found
    ]


def _counts(projects: list[Any]) -> dict[tuple[int, str], int]:
    # Not by "is none of the ends": this way round the index by state serves it, however many runs are over.
    open_runs = WorkflowRun.objects.filter(project__in=projects, state__in=[*ACTIVE, "blocked", "failed"]).order_by()
    rows = open_runs.values_list("project_id", "state").annotate(Count("pk"))
    return {(project, state): count for project, state, count in rows}
