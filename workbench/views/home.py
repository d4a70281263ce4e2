"""Home: what waits for me, what runs now, what failed lately, since I last looked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from orchestration.models import WorkflowRun
from orchestration.reading import approvals, finding
from policy import access, inbox
from policy.actors import Actor
from policy.ruleset import RISKS
from workbench.project_rows import project_rows
from workbench.run_rows import run_rows
from workbench.views.asking import actor_of, page, show

WAITING_SHOWN = 6
RUNS_SHOWN = 8
LATELY = timedelta(days=7)
AWAY = timedelta(minutes=30)
NOTED_EVERY = timedelta(minutes=2)
SEEN = "home_seen"
COLUMNS = (*approvals.COLUMNS, "project__slug")
UNDER_WAY = ("queued", "running", "blocked", "paused")


@page()
def home(request: HttpRequest) -> HttpResponseBase:
    by = actor_of(request)
    projects = project_rows(access.visible_projects(by))
    waiting = list(inbox.waiting_for(by, *COLUMNS))
    runs = finding.visible_runs(by)
    under_way = run_rows(runs.filter(state__in=UNDER_WAY).order_by("-created_at")[:RUNS_SHOWN])
    lately = timezone.now() - LATELY
    failed = runs.filter(state="failed", created_at__gte=lately).order_by("-created_at")[:RUNS_SHOWN]
    context = {
        "greeting": f"Hello, {request.user.get_short_name() or by.name}",  # type: ignore[union-attr]
        "summary": _summary(len(waiting), sum(row["runs_active"] + row["runs_blocked"] for row in projects)),
        "waiting": [_waiting(row) for row in approvals.with_runs(_riskiest(waiting))],
        "waiting_total": len(waiting),
        "running": under_way,
        "failed": run_rows(failed),
        "projects": projects,
        "since": _since(request, by),
    }
    return show(request, "workbench/home.html", context)


def _summary(waiting: int, under_way: int) -> str:
    decisions = (
        "Nothing waits for you" if not waiting else _count(waiting, "decision waits", "decisions wait") + " for you"
    )
    return f"{decisions}, {_count(under_way, 'run is', 'runs are') if under_way else 'nothing is'} under way."


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _riskiest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The riskiest first, then the oldest."""
    ranked = sorted(rows, key=lambda row: (-RISKS.index(row["risk"]), row["requested_at"]))
    return ranked[:WAITING_SHOWN]


def _waiting(approval: dict[str, Any]) -> dict[str, Any]:
    yes = sum(decision["decision"] == "approve" for decision in approval["decisions"])
    return {
        "url": f"{reverse('approvals')}?approval={approval['id']}",
        "title": approval["title"],
        "run": {"label": approval["workflow"] or ""},
        "risk": approval["risk"],
        "requested_at": datetime.fromisoformat(approval["requested_at"]),
        "quorum": approval["quorum"],
        "missing": max(approval["quorum"] - yes, 0),
    }


def _since(request: HttpRequest, by: Actor) -> dict[str, Any] | None:
    """What ended while this person was away; kept in the session, so that it is nobody else's business."""
    since = _last_visit(request)
    if since is None:
        return None
    ended = WorkflowRun.objects.filter(project__in=access.visible_projects(by), finished_at__gt=since)
    counts = dict(ended.order_by().values_list("state").annotate(Count("pk")))
    words = (("succeeded", "circle-check"), ("failed", "circle-x"), ("canceled", "ban"))
    lines = [
        {"icon": icon, "text": f"{_count(counts[state], 'run', 'runs')} {state}", "url": reverse("projects")}
        for state, icon in words
        if counts.get(state)
    ]
    return {"at": since, "lines": lines} if lines else None


def _last_visit(request: HttpRequest) -> datetime | None:
    """When the visit before this one ended; half an hour away begins a new one."""
    now = timezone.now()
    seen = request.session.get(SEEN) or {}
    last = datetime.fromisoformat(seen["last"]) if seen else now
    since = seen.get("since")
    if now - last > AWAY:
        since = last.isoformat()
    if not seen or now - last > NOTED_EVERY:
        request.session[SEEN] = {"last": now.isoformat(), "since": since}
    return datetime.fromisoformat(since) if since else None
