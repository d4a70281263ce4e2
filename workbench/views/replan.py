"""Replan a run: look at what an edited plan would change, then do it, or ask for it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from orchestration.engine import replanning
from orchestration.engine.errors import EngineError, InvalidInput
from orchestration.reading import impacts
from orchestration.schema import InvalidPlan
from policy import access
from policy.errors import PolicyError
from workbench import replan_page
from workbench.middleware import problem_of, status_of
from workbench.run_forms import ReplanForm
from workbench.run_page import head
from workbench.run_page.view import Data, RunView
from workbench.views.asking import SeeOther, actor_of, page, posted, show
from workbench.views.once import act_once
from workbench.views.runs import view_of

CHANGED = "The text has changed since you looked at what it would do. Look again, then confirm."


@page("GET", "POST")
def replan(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """GET: the steps that can be changed. POST with do=look tells what they would change, do=replan does it."""
    view, by = view_of(request, slug, int(number)), actor_of(request)
    access.require(by, access.Permission.LAUNCH, view.run.project)
    kept = impacts.kept_by_replan(view.run, by=by)
    initial = {"steps": replan_page.open_steps(view, kept)}
    form = ReplanForm(posted(request), initial=initial)
    if request.method == "GET" or not form.is_valid():
        return _page(request, view, kept, form, status=422 if form.errors else 200)
    steps = replan_page.composed(view, kept, form.cleaned_data["steps"])
    try:
        seen = replan_page.preview_of(view, steps, by)
        if request.POST.get("do") != "replan":
            return _page(request, view, kept, form, preview=seen)
        if request.POST.get("looked") != replan_page.mark_of(request.POST["steps"]):
            form.add_error(None, CHANGED)
            return _page(request, view, kept, form, preview=seen, status=409)
        _do_once(request, view, steps, form.cleaned_data["reason"])
    except (InvalidPlan, InvalidInput) as invalid:
        return _page(request, view, kept, form, faults=invalid.errors, status=422)
    except (EngineError, PolicyError) as refusal:
        status = status_of(refusal)
        if status not in (409, 422):
            raise
        return _page(request, view, kept, form, problem=problem_of(refusal), status=status or 409)
    asked = "The replan waits for an approval." if seen["weakened"] else "The run has a new plan."
    messages.success(request, asked)
    return SeeOther(view.url)


def _do_once(request: HttpRequest, view: RunView, steps: list[Any], reason: str) -> None:
    given: Data = {"steps": steps, "reason": reason, "impact_digest": request.POST.get("impact_digest", "")}
    by = actor_of(request)
    act_once(request, view.run.pk, given, lambda: replanning.replan_run(view.run.pk, **given, by=by))


def _page(
    request: HttpRequest, view: RunView, kept: set[str], form: ReplanForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    context = {
        "form": form,
        "url": view.part("replan"),
        "back_url": view.url,
        "frozen": replan_page.frozen(view, kept),
        "looked": replan_page.mark_of(request.POST.get("steps", "")) if more.get("preview") else "",
        "form_key": request.POST.get("form_key", "")[:64] or uuid.uuid4().hex,
        "run": view.run,
        "trail": head.run_trail(view),
        **more,
    }
    return show(request, "workbench/replan.html", context, status=status)
