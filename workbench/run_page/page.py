"""The page put together: which partial needs what. Every part can also be had alone, for HTMX and the socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Max, Min
from django.urls import reverse

from orchestration.models import Artifact, Event, ExecutionRun, RunSeen, WorkflowVersion
from orchestration.plan_text import write_yaml
from workbench.run_page import action, checks, controls, happenings, head, panel, since, steps
from workbench.run_page.graph import graph
from workbench.run_page.timeline import timeline
from workbench.run_page.view import RunView

Data = dict[str, Any]
TABS = {"timeline": "Timeline", "graph": "Graph", "events": "Events", "artifacts": "Artifacts", "plan": "Plan"}
ARTIFACTS_SHOWN = 500


def whole(view: RunView, seen: RunSeen | None, forms: Mapping[str, Mapping[str, Any]] | None = None) -> Data:
    """Everything that `run.html` asks for."""
    return {
        **head.identity(view),
        **state(view),
        "action": action.action(view, forms=forms),
        "since": since.since(view, seen),
        **steps.step_list(view),
        **centre(view, seen),
        "panel": panel.panel(view),
        **footer(view),
    }


def state(view: RunView) -> Data:
    return {"state_line": head.state_line(view), **controls.run_controls(view)}


def centre(view: RunView, seen: RunSeen | None = None) -> Data:
    """For `_view.html`."""
    wanted = view.asked.get("tab", "")
    tab = wanted if wanted in TABS else "timeline"
    body = BODIES[tab](view, seen)
    return {
        "tab": tab,
        "tab_url": view.address(tab=tab),
        # Filtered lists can't be added to by the socket: they are asked for again.
        "tab_shown": body.get("events_id", tab),
        "tabs": [
            {
                "name": name,
                "label": label,
                "url": view.address(tab=name, kind=None, actor=None, before=None),
                "selected": name == tab,
            }
            for name, label in TABS.items()
        ],
        **body,
    }


def _artifacts(view: RunView, seen: RunSeen | None) -> Data:
    found = Artifact.objects.filter(run=view.run).select_related("step_run").order_by("-created_at", "name")
    rows = list(found[: ARTIFACTS_SHOWN + 1])
    return {
        "artifacts": [
            {
                **panel.artifact_line(view, one),
                "step": {
                    "name": view.name(one.step_run.key),
                    "url": view.step_url(one.step_run.key, panel="artifacts"),
                },
            }
            for one in rows[:ARTIFACTS_SHOWN]
        ]
    }


def _plan(view: RunView, seen: RunSeen | None) -> Data:
    version = WorkflowVersion.objects.get(pk=view.run.version_id)
    return {
        "plan": {
            "text": write_yaml(version.plan),
            "version": version.number,
            "digest": version.digest,
            "download_url": view.part("run-plan"),
        }
    }


BODIES: dict[str, Callable[[RunView, RunSeen | None], Data]] = {
    "timeline": lambda view, seen: {"timeline": timeline(view)},
    "graph": lambda view, seen: {"graph": graph(view)},
    "events": lambda view, seen: happenings.event_list(view, seen.sequence_no if seen else None),
    "artifacts": _artifacts,
    "plan": _plan,
}


def footer(view: RunView) -> Data:
    """For `_run_footer.html`."""
    run = view.run
    audited = Event.objects.filter(run=run).aggregate(first=Min("audit_sequence"), last=Max("audit_sequence"))
    begun = ExecutionRun.objects.filter(run=run).exclude(sandbox="").order_by("sandbox")
    boundaries = list(begun.values_list("sandbox", flat=True).distinct())
    return {
        "checks": checks.checks_of(view, view.rows),
        "ids": [
            {"label": "Run", "value": str(run.pk)},
            {"label": "Plan", "value": run.version.digest[:16]},
            *([{"label": "Branch", "value": run.branch}] if run.branch else []),
            *([{"label": "Plain folder", "value": run.workspace_path}] if run.workspace_kind == "folder" else []),
            *([{"label": "Base", "value": run.base_commit[:12]}] if run.base_commit else []),
            *([{"label": "Sandbox", "value": ", ".join(boundaries)}] if boundaries else []),
        ],
        "audit": {
            **audited,
            "status": "each change chained to the one before",
            "url": f"{reverse('admin:index')}policy/auditrecord/?run={run.pk}",
        }
        if audited["first"]
        else None,
        "exports": [
            {"label": "Report", "url": view.part("report")},
            {"label": "JSON", "url": view.part("report-file", "json")},
            {"label": "Events", "url": reverse("api:list_events", args=[run.pk]) + "?limit=500"},
        ],
        "last_sequence_no": run.last_sequence_no,
    }
