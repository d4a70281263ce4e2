"""A stored workflow: its versions, what changed between them, and its launch."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from orchestration.engine import launching
from orchestration.engine.errors import EngineError, InvalidInput
from orchestration.models import WorkflowVersion
from orchestration.reading import finding
from policy.access import Permission
from policy.errors import PolicyError
from workbench.builder.verdicts import gates_of_version
from workbench.forms import LaunchForm
from workbench.middleware import status_of
from workbench.plan_diff import diff_of
from workbench.run_rows import run_url
from workbench.views.asking import is_fragment, page, posted, show
from workbench.views.once import FIELD, new_key, once
from workbench.views.plans import workflow_of
from workbench.views.projects import Place


@page()
def versions(request: HttpRequest, slug: str, pk: Any, start: int = 0, end: int = 0) -> HttpResponseBase:
    place, found = workflow_of(request, slug, pk)
    rows = (
        found.versions.select_related("created_by").defer("plan").annotate(run_count=Count("runs")).order_by("-number")
    )
    url = place.url("workflow", found.pk)
    trail = [
        {"label": place.project.name, "url": place.url("project")},
        {"label": found.feature.title, "url": place.url("feature", found.feature.slug)},
        {"label": found.name, "url": url},
        {"label": "Versions"},
    ]
    context = {
        "workflow": {"name": found.name, "url": url},
        "trail": trail,
        "versions": [_row(place, row, url) for row in rows],
        "diff": _diff(finding.find_version(found, start), finding.find_version(found, end)) if end else None,
    }
    return show(request, "workbench/versions.html", context)


@page("GET", "POST")
def launch(request: HttpRequest, slug: str, pk: Any) -> HttpResponseBase:
    place, found = workflow_of(request, slug, pk, Permission.LAUNCH)
    asked = request.POST.get("version", request.GET.get("version", ""))
    version = finding.find_version(found, int(asked) if asked.isdecimal() and len(asked) < 7 else None)
    form = LaunchForm(posted(request), inputs=version.plan.get("inputs", {}))
    if request.method == "GET":
        return _launch_form(request, place, version, form)
    problem, status = None, 422
    if form.is_valid():
        try:
            ground = launching.look_at(found.project, by=place.by)
            started = partial(
                launching.launch_run, found, inputs=form.values(), by=place.by, version=version, ground=ground
            )
            return once(request, lambda: run_url(started()))
        except InvalidInput as invalid:
            form.tell(invalid.errors)
        except (EngineError, PolicyError) as refusal:
            problem = {"title": "The run was not started.", "detail": str(refusal), "safe": "Nothing was changed."}
            status = status_of(refusal) or 409
    return _launch_form(request, place, version, form, status=status, problem=problem)


def _launch_form(
    request: HttpRequest,
    place: Place,
    version: WorkflowVersion,
    form: LaunchForm,
    *,
    status: int = 200,
    problem: dict[str, str] | None = None,
) -> HttpResponseBase:
    workflow = version.workflow
    launch = {
        "title": f"Launch {workflow.name}, version {version.number}",
        "url": place.url("workflow-launch", workflow.pk),
        "fields": list(form),
        "gates": gates_of_version(version),
        "problem": problem,
        "version": version.number,
        "form_key": request.POST.get(FIELD, "")[:100] or new_key(),
    }
    trail = [
        {"label": place.project.name, "url": place.url("project")},
        {"label": workflow.feature.title, "url": place.url("workflows", workflow.feature.slug)},
        {"label": workflow.name, "url": place.url("workflow", workflow.pk)},
        {"label": "Launch"},
    ]
    context = {
        "launch": launch,
        "trail": trail,
        "page_title": launch["title"],
        "content_template": "workbench/_launch.html",
    }
    template = "workbench/_launch.html" if is_fragment(request) else "workbench/sheet_page.html"
    return show(request, template, context, status=status)


def _row(place: Place, version: Any, url: str) -> dict[str, Any]:
    before = version.number - 1
    changes = place.url("workflow-diff", version.workflow_id, before, version.number) if before else ""
    return {
        "number": version.number,
        "by": version.created_by.get_username(),
        "at": version.created_at,
        "digest": version.digest,
        "url": f"{url}?version={version.number}",
        "diff_url": changes,
        "runs": version.run_count,
    }


def _diff(before: WorkflowVersion, after: WorkflowVersion) -> dict[str, Any]:
    return {"from": before.number, "to": after.number, "diff": diff_of(before.plan, after.plan)}
