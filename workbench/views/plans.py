"""The builder: a plan as forms or as text, checked as it is typed, stored as a version."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from orchestration import drafts as generated
from orchestration.engine import planning
from orchestration.engine.errors import NotFound
from orchestration.models import Feature, Workflow, WorkflowVersion
from orchestration.planner import PlannerError
from orchestration.providers import PROVIDERS
from orchestration.reading import finding
from orchestration.schema import InvalidPlan
from policy import access
from policy.access import Permission
from workbench import plan_templates
from workbench.builder import agents, drafts, verdicts
from workbench.builder.drafts import Draft
from workbench.builder.sheet import Sheet, graph
from workbench.flags import require_orchestration
from workbench.forms import DraftForm, ImportForm
from workbench.views.asking import is_fragment, page, posted, show
from workbench.views.features import feature_of
from workbench.views.once import FIELD, new_key, once
from workbench.views.projects import Place, place_of

MEANWHILE = "{person} saved version {number} meanwhile. Save again to put yours on top of it."
EMPTY: dict[str, Any] = {"steps": []}
ADD = (
    ("command", "terminal-2", "Command"),
    ("sdk", "robot", "Agent"),
    ("approval", "user-check", "Approval"),
    ("validation", "list-check", "Checks"),
)
VIEWS = (("steps", "list", "Steps"), ("text", "code", "Text"))


def workflow_of(
    request: HttpRequest, slug: str, pk: Any, permission: Permission = Permission.VIEW
) -> tuple[Place, Workflow]:
    place = place_of(request, slug, permission)
    require_orchestration(request, place.project)
    workflow = finding.find_workflow(place.by, str(pk))
    if workflow.project_id != place.project.pk or workflow.mode != "orchestration":
        raise NotFound("There is no such workflow.")
    return place, workflow


@page("GET", "POST")
def new_workflow(request: HttpRequest, slug: str, feature: str) -> HttpResponseBase:
    place = place_of(request, slug, Permission.LAUNCH)
    require_orchestration(request, place.project)
    found = feature_of(place, feature)
    if request.method == "POST":
        return _posted(request, place, found, None)
    template = plan_templates.template(request.GET.get("template", ""))
    view = "text" if request.GET.get("view") == "text" else "steps"
    draft = drafts.of_data(template or EMPTY, project=slug, feature=feature, view=view)
    return _builder(request, place, found, None, draft, is_new=not template)


@page("GET", "POST")
def workflow(request: HttpRequest, slug: str, pk: Any) -> HttpResponseBase:
    place, found = workflow_of(request, slug, pk)
    if request.method == "POST":
        return _posted(request, place, found.feature, found)
    asked = request.GET.get("version", "")
    version = finding.find_version(found, int(asked) if asked.isdecimal() and len(asked) < 7 else None)
    draft = drafts.of_data(version.plan, project=slug, feature=found.feature.slug, view=request.GET.get("view", ""))
    latest = planning.latest_version(found)
    if version.number != latest.number:
        draft.note = f"This is version {version.number}; saving it makes version {latest.number + 1} out of it."
    return _builder(request, place, found.feature, found, draft)


@page("POST")
def check(request: HttpRequest, slug: str, feature: str) -> HttpResponseBase:
    """Result, graph and verdicts of what is being typed. Stores nothing."""
    place = place_of(request, slug)
    require_orchestration(request, place.project)
    found = feature_of(place, feature)
    draft = drafts.of_form(request.POST.dict(), project=slug, feature=found.slug)
    label = request.POST.get("save_label", "")[:40] or "Save"
    return show(request, "workbench/_builder_check.html", _looked_at(place, found, draft, label))


@page("GET", "POST")
def import_workflow(request: HttpRequest, slug: str, feature: str) -> HttpResponseBase:
    """A plan's text into the builder, moved to this feature; nothing is stored yet."""
    place = place_of(request, slug, Permission.LAUNCH)
    require_orchestration(request, place.project)
    found = feature_of(place, feature)
    form = ImportForm(posted(request), request.FILES or None)
    if request.method == "POST" and form.is_valid():
        draft = drafts.of_text(form.plan_text(), project=slug, feature=feature)
        if draft.data is not None:
            draft = drafts.of_data(draft.data, project=slug, feature=feature)
            draft.note = draft.note or "Imported. Read it, then save it."
        return _builder(request, place, found, None, draft)
    context = {
        "page_title": "Import a plan",
        "lead": "YAML or JSON, as another workflow exported it. It comes into the builder, where you save it.",
        "trail": [*_trail(place, found), {"label": "Import"}],
        "form": form,
        "url": place.url("import-workflow", found.slug),
        "verb": "Open in the builder",
        "cancel_url": place.url("workflows", found.slug),
    }
    return show(request, "workbench/form_page.html", context, status=422 if form.errors else 200)


@page()
def draft_workflow(request: HttpRequest, slug: str, feature: str) -> HttpResponseBase:
    """An implementation plan as a draft in the builder; nothing is stored yet."""
    place = place_of(request, slug, Permission.LAUNCH)
    require_orchestration(request, place.project)
    found = feature_of(place, feature)
    form = DraftForm(request.GET if "provider" in request.GET else None, feature=found, providers=list(PROVIDERS))
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        try:
            data = generated.draft_plan(found, by=place.by, path=given["path"], provider=given["provider"])
        except (PlannerError, InvalidPlan) as refusal:
            form.add_error("path", str(refusal))
        else:
            draft = drafts.of_data(data, project=slug, feature=feature)
            draft.note = f"{data['description']} Nothing is stored yet."
            return _builder(request, place, found, None, draft)
    context = {
        "page_title": "Generate from the implementation plan",
        "lead": "Each phase becomes an agent's step and its check, with approvals between. You get a draft to edit.",
        "trail": [*_trail(place, found), {"label": "Generate"}],
        "form": form,
        "method": "get",
        "url": place.url("draft-workflow", found.slug),
        "verb": "Make the draft",
        "cancel_url": place.url("workflows", found.slug),
    }
    return show(request, "workbench/form_page.html", context, status=422 if form.errors else 200)


@page()
def export(request: HttpRequest, slug: str, pk: Any, number: int) -> HttpResponseBase:
    _, found = workflow_of(request, slug, pk)
    version = finding.find_version(found, number)
    name = f"{found.feature.slug}-v{version.number}.yaml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(drafts.text_of(version.plan), content_type="application/yaml; charset=utf-8", headers=headers)


def _posted(request: HttpRequest, place: Place, feature: Feature, workflow: Workflow | None) -> HttpResponseBase:
    draft = drafts.of_form(request.POST.dict(), project=place.project.slug, feature=feature.slug)
    wish = request.POST.get("do", "check")
    if wish != "save":
        drafts.change(draft, wish)
        return _builder(request, place, feature, workflow, draft)
    access.require(place.by, Permission.LAUNCH, place.project)
    plan = draft.check()
    if plan is None:
        return _builder(request, place, feature, workflow, draft, status=422, is_checked=True)
    if workflow is not None and (newer := _newer(request, workflow)):
        draft.note = MEANWHILE.format(person=newer.created_by.get_username(), number=newer.number)
        return _builder(request, place, feature, workflow, draft, status=409)

    def effect() -> str:
        stored = workflow or planning.create_workflow(plan, by=place.by)
        if workflow is not None:
            planning.save_version(workflow, plan, by=place.by)
        return place.url("workflow", stored.pk)

    answer = once(request, effect)
    messages.success(request, "Saved.")
    return answer


def _newer(request: HttpRequest, workflow: Workflow) -> WorkflowVersion | None:
    """A version that came after the one this form began with."""
    base = request.POST.get("base", "")
    latest = finding.find_version(workflow)
    return latest if base.isdecimal() and int(base) < latest.number else None


def _looked_at(
    place: Place, feature: Feature, draft: Draft, save_label: str, *, is_new: bool = False, is_checked: bool = False
) -> dict[str, Any]:
    """Sheet, result and graph of a draft, with the policy's word on each step where the plan is valid."""
    plan = None if is_new or is_checked else draft.check()
    previews = verdicts.look(plan, place.project) if plan else []
    looked = agents.look(place.project, draft.steps) if draft.view == "steps" else {}
    sheet = Sheet(draft, previews, agents.documents(feature.documents.all()), looked)
    warned = verdicts.warnings(previews, place.project, place.by)
    return {
        "sheet": sheet,
        "result": sheet.result(role=place.role, save_label=save_label, warnings=warned),
        "graph": graph(plan, previews),
        "verdicts": sheet.verdicts(),
        "agents": list(looked.values()),
    }


def _builder(
    request: HttpRequest,
    place: Place,
    feature: Feature,
    workflow: Workflow | None,
    draft: Draft,
    *,
    status: int = 200,
    is_new: bool = False,
    is_checked: bool = False,
) -> HttpResponseBase:
    latest = planning.latest_version(workflow) if workflow else None
    label = f"Save version {latest.number + 1}" if latest else "Save"
    looked = _looked_at(place, feature, draft, label, is_new=is_new, is_checked=is_checked)
    sheet: Sheet = looked["sheet"]
    url = place.url("workflow", workflow.pk) if workflow else place.url("new-workflow", feature.slug)
    may_launch = place.may(Permission.LAUNCH)
    builder = {
        "title": (workflow.name if workflow else (draft.data or {}).get("name")) or "New workflow",
        "url": url,
        "check_url": place.url("check-workflow", feature.slug),
        "save_label": label,
        "form_key": request.POST.get(FIELD, "")[:100] or new_key(),
        "base": latest.number if latest else "",
        "version": latest.number if latest else 0,
        "versions_url": place.url("workflow-versions", workflow.pk) if workflow else "",
        "export_url": place.url("workflow-export", workflow.pk, latest.number) if workflow and latest else "",
        "launch_url": place.url("workflow-launch", workflow.pk) if workflow and may_launch else "",
        "draft_note": draft.note,
        "view": draft.view,
        "views": [{"value": v, "icon": icon, "label": words, "selected": v == draft.view} for v, icon, words in VIEWS],
        "add": [{"value": f"add:{kind}", "icon": icon, "label": words} for kind, icon, words in ADD],
        "text": draft.text,
        "steps": sheet.steps(),
        "step_count": len(draft.steps),
        **sheet.plan(),
    }
    template = "workbench/_builder_form.html" if is_fragment(request) else "workbench/builder.html"
    context = {**looked, "builder": builder, "trail": [*_trail(place, feature), {"label": builder["title"]}]}
    return show(request, template, context, status=status)


def _trail(place: Place, feature: Feature) -> list[dict[str, str]]:
    return [
        {"label": place.project.name, "url": place.url("project")},
        {"label": feature.title, "url": place.url("feature", feature.slug)},
        {"label": "Workflows", "url": place.url("workflows", feature.slug)},
    ]
