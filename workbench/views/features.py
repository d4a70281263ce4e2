"""A feature's workbench: the single run by default, the orchestration on the switch."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Max
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from orchestration.engine import launching, planning
from orchestration.engine.errors import EngineError
from orchestration.models import Feature, WorkflowRun
from orchestration.models.workflow import Mode
from orchestration.reading import finding, workflows
from policy import access
from policy.access import Permission
from policy.errors import PolicyError
from workbench import feature_parts, plan_templates, single_run
from workbench.flags import offers_orchestration, require_orchestration
from workbench.middleware import status_of
from workbench.run_rows import run_rows, run_url
from workbench.views.asking import page, show
from workbench.views.once import new_key, once
from workbench.views.projects import Place, place_of

RUNS_SHOWN = 20
WORKFLOWS_SHOWN = 200


def feature_of(place: Place, slug: str) -> Feature:
    feature = planning.find_feature(place.project, slug)
    feature.project = place.project
    return feature


@page()
def feature(request: HttpRequest, slug: str, feature: str) -> HttpResponseBase:
    place = place_of(request, slug)
    found = feature_of(place, feature)
    kind = request.GET.get("kind", "")
    form = single_run.FORMS[kind if kind in single_run.FORMS else "command"](project=place.project)
    return _single(request, place, found, form)


@page("POST")
def single(request: HttpRequest, slug: str, feature: str) -> HttpResponseBase:
    """Launch a single run."""
    place = place_of(request, slug, Permission.LAUNCH)
    found = feature_of(place, feature)
    form = _posted(request, place)
    plan = single_run.plan_of(form, found)
    if plan is None:
        return _single(request, place, found, form, status=422)
    try:
        ground = launching.look_at(place.project, by=place.by)
        return once(request, lambda: run_url(launching.launch_simple(plan, by=place.by, ground=ground)))
    except (EngineError, PolicyError) as refusal:
        problem = {"title": "The run was not started.", "detail": str(refusal), "safe": "Nothing was changed."}
        return _single(request, place, found, form, status=status_of(refusal) or 409, problem=problem)


@page("POST")
def preview(request: HttpRequest, slug: str, feature: str) -> HttpResponseBase:
    """What policy says of what is being typed. Stores nothing."""
    place = place_of(request, slug)
    form = _posted(request, place)
    plan = single_run.plan_of(form, feature_of(place, feature))
    verdict: dict[str, Any] | None = None
    if plan is not None:
        verdict = single_run.verdict_of(plan, place.project)
    elif request.POST.get("command", request.POST.get("prompt", "")).strip():
        verdict = {"problem": next((str(errors[0]) for errors in form.errors.values()), "")}
    return show(request, "workbench/_verdict.html", {"verdict": verdict})


@page()
def orchestration(request: HttpRequest, slug: str, feature: str) -> HttpResponseBase:
    place = place_of(request, slug)
    require_orchestration(request, place.project)
    found = feature_of(place, feature)
    context = {
        **_frame(request, place, found, "orchestration"),
        "workflows": _workflows(place, found),
        "new_url": place.url("new-workflow", found.slug),
        "import_url": place.url("import-workflow", found.slug),
        "generate": {"url": place.url("draft-workflow", found.slug)},
        "templates": plan_templates.offered(place.url("new-workflow", found.slug))
        if place.may(Permission.LAUNCH)
        else [],
        "runs": _runs(place, found, Mode.ORCHESTRATION),
    }
    return show(request, "workbench/feature.html", context)


def _posted(request: HttpRequest, place: Place) -> single_run.SingleForm:
    kind = request.POST.get("kind", "")
    return single_run.FORMS[kind if kind in single_run.FORMS else "command"](request.POST, project=place.project)


def _single(
    request: HttpRequest,
    place: Place,
    feature: Feature,
    form: single_run.SingleForm,
    *,
    status: int = 200,
    problem: dict[str, str] | None = None,
) -> HttpResponseBase:
    kind = next(name for name, shape in single_run.FORMS.items() if isinstance(form, shape))
    url = place.url("feature", feature.slug)
    context = {
        **_frame(request, place, feature, "simple"),
        "single": {
            "kind": kind,
            "kinds": [
                {"name": name, "label": label, "url": f"{url}?kind={name}", "selected": name == kind}
                for name, label in single_run.KINDS.items()
            ],
            "fields": form.shown(folded=False),
            "more": form.shown(folded=True),
            "more_open": form.has_folded,
            "errors": form.non_field_errors(),
            "url": place.url("single-runs", feature.slug),
            "preview_url": place.url("single-preview", feature.slug),
            "form_key": new_key(),
            "problem": problem,
        },
        "runs": _runs(place, feature, Mode.SIMPLE),
    }
    return show(request, "workbench/feature.html", context, status=status)


def _frame(request: HttpRequest, place: Place, feature: Feature, mode: str) -> dict[str, Any]:
    modes = (
        ("simple", "Single run", "player-play", "feature"),
        ("orchestration", "Orchestration", "hierarchy-2", "workflows"),
    )
    offered = offers_orchestration(request, place.project)
    return {
        "feature": feature,
        "trail": [{"label": place.project.name, "url": place.url("project")}, {"label": feature.title}],
        "mode": mode,
        "modes": [
            {"label": label, "icon": icon, "url": place.url(url, feature.slug), "selected": name == mode}
            for name, label, icon, url in modes
            if offered or name == "simple"
        ],
        "may_launch": place.may(Permission.LAUNCH),
        "why_not": access.TOO_LOW[Permission.LAUNCH],
        "imports_url": place.url("project-imports"),
        **feature_parts.beside(feature, feature_parts.documents_of(feature)),
    }


def _runs(place: Place, feature: Feature, mode: str) -> list[dict[str, Any]]:
    found = finding.visible_runs(place.by).filter(project=place.project, feature=feature, mode=mode)
    return run_rows(found.order_by("-created_at")[:RUNS_SHOWN], place="")


def _workflows(place: Place, feature: Feature) -> list[dict[str, Any]]:
    found = finding.visible_workflows(place.by).filter(feature=feature, mode=Mode.ORCHESTRATION)
    shown = list(workflows.with_newest(found.order_by("-created_at"))[:WORKFLOWS_SHOWN])
    last = _last_runs(place, [workflow.pk for workflow in shown])
    return [
        {
            "name": workflow.name,
            "version": workflow.newest_number,
            "steps": workflow.newest_steps,
            "url": place.url("workflow", workflow.pk),
            "launch_url": place.url("workflow-launch", workflow.pk),
            "versions_url": place.url("workflow-versions", workflow.pk),
            "last_run": last.get(workflow.pk),
        }
        for workflow in shown
    ]


def _last_runs(place: Place, workflow_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """The newest run of each: one statement for their numbers, two for their rows."""
    if not workflow_ids:
        return {}
    numbers = (
        WorkflowRun.objects.filter(project=place.project, workflow__in=workflow_ids)
        .order_by()
        .values("workflow")
        .annotate(last=Max("number"))
    )
    runs = list(finding.visible_runs(place.by).filter(project=place.project, number__in=numbers.values("last")))
    return {run.workflow_id: row for run, row in zip(runs, run_rows(runs), strict=True)}
