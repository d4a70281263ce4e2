"""Decisions: the inbox of what waits for one person, and the one place where a page decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from orchestration.api import idempotency
from orchestration.api.rendering import Answer
from orchestration.engine import deciding, door
from orchestration.engine.errors import NotFound, WrongState
from orchestration.reading import approvals as reading
from orchestration.reading import finding
from policy import access, actors, inbox, sign_in
from policy.approvals import ASKED, stranded
from policy.errors import Invalid, PolicyError, RecentSignInRequired
from policy.models import Approval
from policy.ruleset import RISKS
from workbench.run_page.asking import asked
from workbench.run_page.packets import is_typed, packet, step_of_approval
from workbench.run_page.view import Data, RunView, look_at
from workbench.views.asking import SeeOther, actor_of, page, person, show
from workbench.views.runs import view_of, whole_page

SHOWN = 100
COLUMNS = (*reading.COLUMNS, "project__slug")
VIEWS = {"mine": "For me", "all": "All open"}
WORDS = {"approve": "approved", "reject": "rejected"}
NOT_YOURS = "That is not your password. Nothing was decided."
WRONG_DIGEST = "What you typed is not the beginning of the digest. Nothing was decided."


@page()
def approvals(request: HttpRequest) -> HttpResponseBase:
    return _inbox(request)


def _inbox(request: HttpRequest, *, form: Data | None = None, status: int = 200, chosen: str = "") -> HttpResponseBase:
    by, wanted = actor_of(request), request.GET.get("view", "mine")
    kind = wanted if wanted in VIEWS else "mine"
    mine = list(inbox.waiting_for(by, *COLUMNS))
    rows = mine if kind == "mine" else list(inbox.pending(by).values(*COLUMNS, *ASKED)[:500])
    chosen = chosen or request.GET.get("approval", "")
    lost = {str(pk) for pk in stranded(rows)} if kind == "all" else set()
    items = [_item(found, kind, chosen, lost) for found in reading.with_runs(_riskiest(rows))]
    shown = _packet(request, chosen, form) if chosen else None
    context = {
        "items": items,
        "packet": shown,
        "views": [
            {"name": name, "label": label, "url": f"{reverse('approvals')}?view={name}", "selected": name == kind,
             "count": len(mine) if name == "mine" else None}
            for name, label in VIEWS.items()
        ],
        "back_url": f"{reverse('approvals')}?view={kind}",
        "empty_title": "Nothing waits for you" if kind == "mine" else "No decision is open",
        "empty_text": "Requests for your decision appear here, the riskiest first." if kind == "mine"
        else "When a step of a project of yours needs a decision, it is listed here.",
    }  # fmt: skip
    return show(request, "workbench/approvals.html", context, status=status)


def _riskiest(rows: list[Data]) -> list[Data]:
    return sorted(rows, key=lambda row: (-RISKS.index(row["risk"]), row["requested_at"]))[:SHOWN]


def _item(found: Data, kind: str, chosen: str, lost: set[str]) -> Data:
    return {
        **found,
        "no_eligible_approver": found["id"] in lost,
        "url": f"{reverse('approvals')}?view={kind}&approval={found['id']}",
        "run": {"label": " · ".join(str(part) for part in (found["project"], found["workflow"]) if part)},
        "requested_at": datetime.fromisoformat(found["requested_at"]),
        "selected": found["id"] == chosen,
    }


def _packet(request: HttpRequest, approval_id: str, form: Data | None) -> Data:
    approval, view = _found(request, approval_id)
    step = step_of_approval(approval)
    assert step is not None  # noqa: S101
    number = view.run.number
    return {
        **packet(view, asked(view, approval, step.key), form=form),
        "run": {"url": view.url, "label": f"{view.run.project.name}, {view.run.feature.title}, run {number}"},
        "next": reverse("approvals"),
    }


def _found(request: HttpRequest, approval_id: str) -> tuple[Approval, RunView]:
    """Raises NotFound where the approval is another's business."""
    by = actor_of(request)
    visible = Approval.objects.filter(project__in=access.visible_projects(by)).select_related("project", "requested_by")
    approval = visible.filter(pk=_uuid(approval_id)).first()
    step = step_of_approval(approval) if approval else None
    if approval is None or step is None or step.state == "superseded":
        raise NotFound("There is no such request for a decision.")
    view = look_at(finding.find_run(by, str(step.run_id)))
    return approval, view.seen_by(by, access.require(by, access.Permission.VIEW, approval.project), {})


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


@page("POST")
def decision(request: HttpRequest, slug: str, number: int, approval_id: UUID) -> HttpResponseBase:
    """Approve or reject what was shown. What is refused with a word to mend comes back with what was typed."""
    view = view_of(request, slug, number)
    approval = Approval.objects.filter(pk=approval_id, project=view.run.project).first()
    step = step_of_approval(approval) if approval else None
    if approval is None or step is None or step.run_id != view.run.pk:
        raise NotFound("There is no such request for a decision.")
    if fault := _fault(request, approval):
        return _mend(request, view, approval, fault)
    try:
        _decide(request, view, approval, step.key)
    except RecentSignInRequired as refusal:
        return _mend(request, view, approval, str(refusal), status=403)
    except Invalid as refusal:
        return _mend(request, view, approval, str(refusal))
    word = WORDS[request.POST.get("decision", "")]
    messages.success(request, f"{view.name(step.key)} is {word} by you.")
    return SeeOther(_next(request) or view.url)


def _fault(request: HttpRequest, approval: Approval) -> str:
    """A password and a typed digest are the page's own questions; asked before the engine is."""
    if request.POST.get("decision") not in WORDS:
        return "Choose to approve or to reject."
    if not request.POST.get("reason", "").strip():
        return "A decision needs a reason."
    password = request.POST.get("password", "")
    if password and not _is_own_password(request, password):
        return NOT_YOURS
    typed = request.POST.get("typed_digest", "").strip().lower()
    if is_typed(approval) and request.POST["decision"] == "approve" and typed != approval.digest[:8]:
        return WRONG_DIGEST
    return ""


def _is_own_password(request: HttpRequest, password: str) -> bool:
    if not sign_in.confirm(person(request), password, request.META.get("REMOTE_ADDR", "")):
        return False
    actors.mark_signed_in(request.session)
    return True


def _decide(request: HttpRequest, view: RunView, approval: Approval, key: str) -> None:
    by, given = actor_of(request), request.POST
    word = given["decision"]
    body = {"decision": word, "reason": given["reason"].strip(), "digest": given.get("digest", "")}

    def effect() -> Answer:
        deciding.decide_approval(view.run.pk, key, **body, by=by, approval_id=str(approval.pk))
        return Answer({})

    def keep_trace(refusal: Exception) -> None:
        if isinstance(refusal, (WrongState, PolicyError)) and not isinstance(refusal, idempotency.KeyReused):
            door.record_refusal(view.run.pk, by, refusal)

    # One person decides one request once, so the request itself is the key: a second press is the first one again.
    idempotency.perform(
        by, f"page-decision-{approval.pk}-{word}", f"POST {request.path}", body, effect, refused=keep_trace
    )


def _mend(
    request: HttpRequest, view: RunView, approval: Approval, fault: str, *, status: int = 422
) -> HttpResponseBase:
    form: dict[str, Any] = {"error": fault, "reason": request.POST.get("reason", "")}
    if _next(request):
        return _inbox(request, form=form, status=status, chosen=str(approval.pk))
    return whole_page(request, view, status=status, forms={str(approval.pk): form})


def _next(request: HttpRequest) -> str:
    """Only places of our own."""
    wanted = request.POST.get("next", "")
    return wanted if url_has_allowed_host_and_scheme(wanted, {request.get_host()}) else ""
