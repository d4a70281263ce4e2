"""What people do to a run: a sheet that says what would happen, then the engine. Dialog with HTMX, page without.

The sheet carries a digest of what it said, and a key of its own: a second press of the same form changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from orchestration import reconciliation as providers
from orchestration.engine import controlling, overriding, revoking
from orchestration.engine.errors import EngineError, NotFound, WrongState
from orchestration.reading import impacts
from policy import access
from policy.actors import Actor
from policy.errors import PolicyError
from workbench import fragments
from workbench.middleware import problem_of, status_of
from workbench.run_forms import OutputsForm, ReasonForm, ResolveForm, RetryForm
from workbench.run_page import head
from workbench.run_page.view import Data, RunView, open_view
from workbench.views.asking import SeeOther, actor_of, is_fragment, page, show
from workbench.views.once import act_once
from workbench.views.runs import view_of

WITH_SHEET = ("retry-step", "skip-step", "resume", "cancel")


@dataclass(frozen=True)
class Deed:
    """One thing people do: its words, what it asks, and who does it."""

    title: str
    verb: str
    done: str
    do: Callable[..., Any]
    form: type[ReasonForm] = ReasonForm
    of_step: bool = False
    may_name_step: bool = False
    may: access.Permission = access.Permission.LAUNCH
    tone: str = "btn-primary"
    sentence: str = ""


DEEDS = {
    "pause": Deed(
        "Pause the run", "Pause", "The run is paused; what is executing may finish.", controlling.pause_run,
        sentence="Nothing new starts. Steps that are executing finish.",
    ),
    "resume": Deed(
        "Resume the run", "Resume", "The run goes on.", controlling.resume_run, may_name_step=True,
        sentence="The run goes on from its last checkpoint. Interrupted steps are done again.",
    ),
    "cancel": Deed(
        "Cancel the run", "Cancel the run", "The run is being canceled.", controlling.cancel_run, tone="btn-bad",
        sentence="Work that is executing is ended, with all its processes. This can't be taken back.",
    ),
    "retry-step": Deed(
        "Retry “{name}”", "Retry", "{name} is tried again.", controlling.retry_step, RetryForm, of_step=True,
    ),
    "skip-step": Deed(
        "Skip “{name}”", "Skip", "The skip of {name} is asked or done.", controlling.skip_step, OutputsForm,
        of_step=True,
        sentence="Steps that need it go on as if it were done. A risky step or a checkpoint is skipped only when "
        "another person agrees.",
    ),
    "resolve-step": Deed(
        "Say how “{name}” ended", "Record it", "{name} is resolved.", controlling.resolve_step, ResolveForm,
        of_step=True,
        sentence="Look at what the step did before its worker was lost, then say how it ended.",
    ),
    "override-step": Deed(
        "Run “{name}” against the rules", "Ask for it", "Somebody else is asked to let {name} run.",
        overriding.override_step, of_step=True, tone="btn-bad",
        sentence="The rules deny this step. It runs only when another person agrees at the elevated level within an "
        "hour, and only once; both reasons are kept.",
    ),
    "revoke": Deed(
        "Take back the approval of “{name}”", "Take it back", "The approval of {name} is taken back.",
        revoking.revoke_approval, of_step=True, may=access.Permission.DECIDE,
        sentence="Nothing has started on it. The step is asked about again.",
    ),
}  # fmt: skip


@page("GET", "POST")
def run_action(request: HttpRequest, slug: str, number: int, action: str) -> HttpResponseBase:
    """GET tells what it would do, POST does it."""
    view = view_of(request, slug, int(number))
    deed = DEEDS[action]
    access.require(actor_of(request), deed.may, view.run.project)
    key = _step_key(request, view, deed)
    if request.method == "POST":
        return _act(request, view, action, deed, key)
    form = _form(view, deed, key, actor_of(request))
    form.initial.setdefault("restore_workspace", bool(request.GET.get("restore")))
    return _sheet(request, view, action, key, form)


@page("POST")
def reconciliation(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """Ask the run's providers how their open answers stand; then the page that the press came from."""
    view = view_of(request, slug, number)
    told = providers.look_at_run(view.run.pk, by=actor_of(request))
    if not told:
        messages.warning(request, "No provider has answered yet. What it says is written here when it does.")
    elif "error" in told:
        messages.warning(request, "A provider could not be asked; the attempt says why.")
    else:
        messages.success(request, "The provider was asked.")
    return SeeOther(view.address())


def _step_key(request: HttpRequest, view: RunView, deed: Deed) -> str:
    if not deed.of_step and not deed.may_name_step:
        return ""
    key = request.POST.get("step_key") or request.GET.get("step_key", "")
    if (key and key not in view.by_key) or (deed.of_step and not key):
        raise NotFound("This run has no such step.")
    return key


def _form(view: RunView, deed: Deed, key: str, by: Actor, data: QueryDict | None = None) -> ReasonForm:
    if issubclass(deed.form, OutputsForm):
        readers = impacts.outputs_read(view.run, key, by=by)
        named = {name: [view.name(reader) for reader in found] for name, found in readers.items()}
        return deed.form(data, promised=tuple(view.definition(key).get("outputs") or ()), readers=named)
    form = deed.form(data)
    if deed.form is RetryForm and view.run.workspace_kind != "worktree":
        form.fields["restore_workspace"].disabled = True
        form.fields[
            "restore_workspace"
        ].help_text = "This run works in a plain folder; there is no earlier state of it."
    return form


def _act(request: HttpRequest, view: RunView, action: str, deed: Deed, key: str) -> HttpResponseBase:
    form = _form(view, deed, key, actor_of(request), request.POST)
    if not form.is_valid():
        return _sheet(request, view, action, key, form, status=422)
    try:
        _do_once(request, view, action, deed, key, form)
    except (EngineError, PolicyError) as refusal:
        status = status_of(refusal)
        if status not in (409, 422):
            raise
        return _sheet(
            request, view_of(request, view.run.project.slug, view.run.number), action, key, form, refusal, status
        )
    return _done(request, view, deed.done.format(name=view.name(key) if key else ""))


def _do_once(request: HttpRequest, view: RunView, action: str, deed: Deed, key: str, form: ReasonForm) -> None:
    by = actor_of(request)
    given: Data = {"reason": form.cleaned_data["reason"], **form.more()}
    if action in WITH_SHEET:
        given["impact_digest"] = request.POST.get("impact_digest", "")
    if key:
        given["step_key"] = key
    act_once(request, view.run.pk, given, lambda: deed.do(view.run.pk, **given, by=by))


def _sheet(
    request: HttpRequest,
    view: RunView,
    action: str,
    key: str,
    form: ReasonForm,
    refusal: Exception | None = None,
    status: int = 200,
) -> HttpResponse:
    deed, name = DEEDS[action], view.name(key) if key else ""
    try:
        impact = _impact(request, view, action, key)
    except WrongState as wrong:
        impact, refusal, status = {}, refusal or wrong, 409
    context = {
        "impact": {
            "title": deed.title.format(name=name),
            "verb": deed.verb,
            "tone": deed.tone,
            "sentence": deed.sentence,
            "url": view.part("run-action", action),
            "step_key": key,
            "form_key": uuid.uuid4().hex,
            "problem": problem_of(refusal) if refusal else None,
            "fields": list(form),
            **impact,
        },
        "page_title": deed.title.format(name=name),
        "trail": head.run_trail(view),
        "back_url": view.url,
        "content_template": "workbench/_impact.html",
    }
    template = "workbench/_impact.html" if is_fragment(request) else "workbench/sheet_page.html"
    return show(request, template, context, status=status)


def _impact(request: HttpRequest, view: RunView, action: str, key: str) -> Data:
    """What the engine says it would do, with names for people."""
    if action not in WITH_SHEET:
        return {}
    found = impacts.impact_of(view.run, action, key, by=actor_of(request))
    named = ("runs_again", "reused", "approvals_lapsing", "repeats_once_effects", "approvals_needed")
    read = [{**output, "read_by": [view.name(step) for step in output["read_by"]]} for output in found["outputs_read"]]
    return {**found, **{name: [view.name(step) for step in found[name]] for name in named}, "outputs_read": read}


def _done(request: HttpRequest, view: RunView, sentence: str) -> HttpResponseBase:
    if not is_fragment(request):
        messages.success(request, sentence)
        return SeeOther(view.url)
    flash = render_to_string("_flash.html", {"tone": "success", "text": sentence})
    asked = QueryDict((request.htmx.current_url or "").partition("?")[2]).dict()  # type: ignore[attr-defined]
    now = open_view(actor_of(request), view.run.project.slug, view.run.number, asked)
    response = HttpResponse(f'{fragments.state(now)}<div hx-swap-oob="beforeend:#flash">{flash}</div>')
    response["HX-Trigger-After-Settle"] = "sheet:done"
    return response
