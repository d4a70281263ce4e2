"""The top of the page: who and what, the state line with its facts, and the controls."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import NoReverseMatch, reverse

from orchestration.models import Document
from workbench.run_page import sentences
from workbench.run_page.view import RunView
from workbench.templatetags import badges

Data = dict[str, Any]
DONE = ("succeeded", "skipped")
CLOSE_TO_THE_END = 80


def identity(view: RunView) -> Data:
    run = view.run
    project, feature = place("project", run.project.slug), place("feature", run.project.slug, run.feature.slug)
    workflow = place("workflow", run.project.slug, run.workflow_id)
    before = run.version.number - 1
    return {
        "run": {
            "id": str(run.pk),
            "number": run.number,
            "mode": run.mode,
            "display_state": sentences.display_state(view),
            "project": {"slug": run.project.slug, "name": run.project.name, "url": project},
            "feature": {"title": run.feature.title, "url": feature},
            "workflow": {
                "name": run.workflow.name,
                "version": run.version.number,
                "url": workflow or view.address(tab="plan"),
                "diff_url": _diff_url(view, before) if before else "",
            },
            "created_by": run.created_by.get_username(),
            "created_at": run.created_at,
            "documents": _documents(view),
            "is_plain_folder": run.workspace_kind == "folder",
            "simulated": any(d.get("provider") == "simulated" for d in view.plan.definitions),
            "last_sequence_no": run.last_sequence_no,
        },
        "trail": [
            {"label": run.project.name, "url": project},
            {"label": run.feature.title, "url": feature},
            {"label": f"Run {run.number}", "url": ""},
        ],
        "live": None if run.is_final else live(view),
    }


def run_trail(view: RunView) -> list[Data]:
    """For pages below the run's own: the way back."""
    project, feature = view.run.project, view.run.feature
    return [
        {"label": project.name, "url": place("project", project.slug)},
        {"label": feature.title, "url": place("feature", project.slug, feature.slug)},
        {"label": f"Run {view.run.number}", "url": view.url},
    ]


def live(view: RunView) -> Data:
    return {
        "url": f"/ws/workflow-runs/{view.run.pk}/",
        "poll_url": view.part("run-live"),
        "seen_url": view.part("run-seen"),
    }


def place(name: str, *arguments: object) -> str:
    """The address of another page, or nothing where this installation has no such page."""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


def _diff_url(view: RunView, before: int) -> str:
    return place("workflow-diff", view.run.project.slug, view.run.workflow_id, before, view.run.version.number)


def _documents(view: RunView) -> list[Data]:
    rows = Document.objects.filter(feature_id=view.run.feature_id).values("pk", "title", "path")[:2]
    project = view.run.project.slug
    return [
        {"title": row["title"], "url": place("document", project, view.run.feature.slug, row["pk"])} for row in rows
    ]


def state_line(view: RunView) -> Data:
    run, state = view.run, sentences.display_state(view)
    used = run.input_tokens + run.output_tokens
    return {
        "state": state,
        "word": badges.label("run", state),
        "sentence": sentences.sentence(view),
        "started_at": run.started_at or run.created_at,
        "finished_at": run.finished_at,
        "steps_done": sum(view.counts[done] for done in DONE),
        "steps_total": len(view.rows),
        "tokens": used or None,
        "cost_usd": run.cost_usd or None,
        "budget": _budget(view, used),
        "timer": _timer(view),
    }


def _budget(view: RunView, used: int) -> Data | None:
    budget = view.plan.header.get("budget") or {}
    spent: list[tuple[float, str]] = []
    if limit := budget.get("max_tokens"):
        spent.append((100 * used / limit, f"{used:,} of {limit:,} tokens"))
    if (limit := budget.get("max_cost_usd")) and view.run.cost_usd is not None:
        spent.append(
            (100 * float(view.run.cost_usd) / float(limit), f"${view.run.cost_usd:.2f} of ${float(limit):.2f}")
        )
    if not spent:
        return None
    percent, label = max(spent)
    tone = "bad" if percent >= 100 else "warn" if percent >= CLOSE_TO_THE_END else "active"
    return {"percent": min(100, round(percent)), "label": label, "tone": tone}


def _timer(view: RunView) -> Data | None:
    """What happens next by the clock alone."""
    if view.run.is_final:
        return None
    due = [(row["due_at"], "next try") for row in view.rows if row["state"] == "retry_wait" and row["due_at"]]
    if view.run.deadline_at and not view.run.finished_at:
        due.append((view.run.deadline_at, "ends at the latest"))
    if not due:
        return None
    at: datetime
    at, label = min(due)
    return {"at": at, "label": label}
