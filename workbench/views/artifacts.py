"""An artifact: what it is, a look at it as plain text, what it was made from and what used it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from orchestration import hidden
from orchestration.artifacts import ArtifactMissing, ArtifactStore
from orchestration.engine.errors import NotFound
from orchestration.models import Artifact, Document, ExecutionRun
from workbench.run_page import patches
from workbench.run_page.panel import content_url
from workbench.run_page.view import Data, RunView
from workbench.untrusted import plainly
from workbench.views.asking import page, show
from workbench.views.runs import view_of

PREVIEW = 64_000
LISTED = 12


@page()
def artifact(request: HttpRequest, slug: str, number: int, artifact_id: UUID) -> HttpResponseBase:
    view = view_of(request, slug, number)
    found = view.run.artifacts.select_related("step_run", "attempt").filter(pk=artifact_id).first()
    if found is None:
        raise NotFound("There is no such artifact.")
    run = {"label": f"Run {view.run.number}", "url": view.url}
    step = {"name": view.name(found.step_run.key), "url": view.step_url(found.step_run.key, panel="artifacts")}
    context = {
        "artifact": {**_facts(found), "step": step, "run": run},
        "trail": [
            {"label": view.run.project.name, "url": reverse("project", args=[slug])},
            {"label": view.run.feature.title, "url": reverse("feature", args=[slug, view.run.feature.slug])},
            run,
            {"label": found.name, "url": ""},
        ],
        "preview": _preview(found),
        "upstream": _upstream(view, found, step),
        "downstream": _downstream(view, found),
        "versions": _versions(view, found),
    }
    return show(request, "workbench/artifact.html", context)


def _facts(found: Artifact) -> Data:
    names = ("name", "kind", "media_type", "size", "sha256", "path", "commit", "created_at")
    facts = {name: getattr(found, name) for name in names}
    return {**facts, "attempt": found.attempt.number, "download_url": content_url(found.pk)}


def _preview(found: Artifact) -> Data | None:
    """Text is shown as text, whatever it calls itself; anything else only as a download."""
    if found.kind == "diff":
        return {"kind": "diff", "diff": patches.diff_of(found, content_url(found.pk))}
    try:
        data = ArtifactStore(Path(settings.ARTIFACTS_DIR)).read(found.sha256, PREVIEW)
    except (ArtifactMissing, OSError):
        return None
    if b"\0" in data:
        return None
    text = hidden.shown(found.run.project, patches.whole_lines(data, found.size))
    is_text = text.count("\ufffd") <= len(text) // 100
    return {"kind": "text", "text": plainly(text), "cut": found.size > PREVIEW} if is_text else None


def _upstream(view: RunView, found: Artifact, step: Data) -> list[Data]:
    """The attempt that left it, the artifacts of the steps in front, the documents of the feature."""
    attempt = {
        "icon": "terminal-2",
        "label": step["name"],
        "url": step["url"],
        "note": f"attempt {found.attempt.number}",
    }
    needed = _needs(view, found.step_run.key)
    earlier = _of_steps(view, needed)[:LISTED]
    documents = Document.objects.filter(feature=view.run.feature).values("pk", "title", "digest")[:LISTED]
    place = (view.run.project.slug, view.run.feature.slug)
    plan = {"icon": "hierarchy-2", "label": f"{view.run.workflow.name}, version {view.run.version.number}",
            "url": view.address(tab="plan"), "note": "plan"}  # fmt: skip
    return [
        attempt,
        *(_entry(view, one) for one in earlier),
        plan,
        *(
            {
                "icon": "file-text",
                "label": row["title"],
                "url": reverse("document", args=[*place, row["pk"]]),
                "note": "document",
            }
            for row in documents
        ),
    ]


def _downstream(view: RunView, found: Artifact) -> list[Data]:
    """What later steps left that rest on the step that left this one, and who has it again, byte for byte."""
    place = view.plan.place.get(found.step_run.key)
    dependants = view.plan.graph.dependants[place] if place is not None else ()
    keys = [view.plan.keys[after] for after in dependants]
    ran = set(ExecutionRun.objects.filter(run=view.run, step_run__key__in=keys).values_list("step_run__key", flat=True))
    steps = [
        {"icon": "arrow-right", "label": view.name(key), "url": view.step_url(key), "note": "step"}
        for key in keys
        if key in ran
    ]
    return [*steps, *(_entry(view, one) for one in _of_steps(view, keys)[:LISTED])]


def _needs(view: RunView, key: str) -> list[str]:
    place = view.plan.place.get(key)
    return [] if place is None else [view.plan.keys[other] for other in view.plan.graph.needs[place]]


def _of_steps(view: RunView, keys: list[str]) -> list[Artifact]:
    left = Artifact.objects.filter(run=view.run, step_run__key__in=keys).select_related("step_run")
    return list(left.order_by("created_at", "name"))


def _entry(view: RunView, one: Artifact) -> Data:
    return {
        "icon": "package",
        "label": one.name,
        "url": view.part("artifact", one.pk),
        "note": view.name(one.step_run.key),
    }


def _versions(view: RunView, found: Artifact) -> list[Data]:
    """The same file of other runs of this workflow."""
    others: Any = Artifact.objects.filter(run__workflow=view.run.workflow, name=found.name).exclude(run=view.run)
    rows = others.select_related("run").order_by("-created_at")[:LISTED]
    slug = view.run.project.slug
    return [
        {
            "run": f"Run {one.run.number}",
            "url": reverse("artifact", args=[slug, one.run.number, one.pk]),
            "sha256": one.sha256,
            "same": one.sha256 == found.sha256,
            "created_at": one.created_at,
        }
        for one in rows
    ]
