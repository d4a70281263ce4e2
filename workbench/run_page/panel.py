"""The panel of the chosen step: its head, its tabs, and what the tab in the address shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.urls import reverse

from orchestration import boundary
from orchestration.models import Artifact, ExecutionRun
from orchestration.reading.plain import policy, usage
from policy.step_facts import runs_code
from workbench.run_page import agent, log, packets, patches
from workbench.run_page.controls import step_controls
from workbench.run_page.steps import step_row
from workbench.run_page.sync import sync_of
from workbench.run_page.view import RunView

Data = dict[str, Any]
TABS = {
    "log": "Log",
    "agent": "Agent",
    "io": "In and out",
    "diff": "Diff",
    "artifacts": "Artifacts",
    "attempts": "Attempts",
    "approval": "Approval",
    "policy": "Policy",
}
WITHOUT_WORK = ("log", "diff", "artifacts", "attempts")
NOTES = {
    ("pending", ""): "It waits for the steps that it needs.",
    ("ready", ""): "It starts as soon as there is a free place.",
    ("awaiting_approval", ""): "It goes on when it is approved.",
    ("skipped", "condition"): "Its condition was false, so it was left out.",
    ("skipped", ""): "It was skipped.",
    ("canceled", ""): "It was canceled with the run.",
    ("canceled", "effect_unknown"): "It was canceled; some of its processes could not be ended for certain.",
    ("retry_wait", ""): "It failed and will be tried again.",
    ("interrupted", ""): "Its worker was lost; nobody knows how it ended.",
}


def panel(view: RunView) -> Data | None:
    """For `_step_panel.html`; None where no step is chosen."""
    row = view.chosen
    if row is None:
        return None
    tabs = tabs_of(row)
    wanted = view.asked.get("panel", "")
    tab = wanted if wanted in tabs else first_tab(row)
    return {
        **headline(view, row),
        "tabs": [_tab(view, row, name, tab) for name in tabs],
        "tab": tab,
        "refresh_url": view.address(step=row["key"], panel=tab, line=None),
        **BODIES[tab](view, row),
    }


def headline(view: RunView, row: Data) -> Data:
    """For `_panel_head.html`."""
    return {
        "step": head(view, row),
        "close_url": view.address(step=None, panel=None, attempt=None, line=None, q=None),
        "controls": step_controls(view, row),
    }


def head(view: RunView, row: Data) -> Data:
    used = usage(row["usage"])
    note = NOTES.get((row["state"], row["state_reason"])) or NOTES.get((row["state"], ""), "")
    return {
        **step_row(view, row),
        "provider": view.definition(row["key"]).get("provider"),
        "error": row["error"],
        "state_note": note,
        "exit_code": row["exit_code"],
        "token_total": used["input_tokens"] + used["output_tokens"],
        "cost_usd": used["cost_usd"] if row["type"] == "sdk" else None,
    }


def tabs_of(row: Data) -> list[str]:
    if row["type"] == "approval":
        return [name for name in TABS if name not in (*WITHOUT_WORK, "agent")]
    return [name for name in TABS if name != "agent" or row["type"] == "sdk"]


def first_tab(row: Data) -> str:
    if row["type"] == "approval" or row["state"] == "awaiting_approval":
        return "approval"
    return "agent" if row["type"] == "sdk" else "log"


def _tab(view: RunView, row: Data, name: str, chosen: str) -> Data:
    url = view.address(step=row["key"], panel=name, line=None, q=None)
    return {"name": f"panel-{name}", "label": TABS[name], "url": url, "selected": name == chosen}


def _log(view: RunView, row: Data) -> Data:
    return {"log": log.log(view, row)}


def _agent(view: RunView, row: Data) -> Data:
    return {"agent": agent.work(view, row)}


def _io(view: RunView, row: Data) -> Data:
    """As the plan has it; values that were filled in are in the packet of its approval and in the attempt."""
    definition = view.definition(row["key"])
    shown = {name: value for name, value in definition.items() if name not in ("key", "name", "type")}
    names = ExecutionRun.objects.filter(pk=row["execution_run_id"]).values_list("env_names", flat=True).first()
    return {
        "io": {
            "definition": [_fact(name, value) for name, value in shown.items() if value not in (None, "", [], {})],
            "inputs": _pairs(view.run.inputs),
            "outputs": _pairs(row["outputs"]),
            "env_names": names or [],
        }
    }


def _fact(name: str, value: Any) -> Data:
    label = packets.LABELS.get(name, name.replace("_", " ").capitalize())
    if isinstance(value, bool | int | float):
        return {"label": label, "value": str(value).lower() if isinstance(value, bool) else value, "code": False}
    text = packets.in_words(name, value) if name in packets.LABELS else _plain(value)
    return {"label": label, "value": text, "code": name in packets.CODE or "\n" in text}


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    return json.dumps(value, indent=2, ensure_ascii=False)


def _pairs(values: Data) -> list[Data]:
    return [
        {"name": name, "value": value if isinstance(value, str) else json.dumps(value)}
        for name, value in values.items()
    ]


def _diff(view: RunView, row: Data) -> Data:
    attempt = ExecutionRun.objects.filter(pk=row["execution_run_id"]).select_related("run").first()
    if found_so_far := patches.so_far(attempt):
        return {"diff": found_so_far}
    found = Artifact.objects.filter(step_run=row["id"], kind="diff").order_by("-created_at").first()
    return {"diff": patches.diff_of(found, content_url(found.pk) if found else "")}


def _artifacts(view: RunView, row: Data) -> Data:
    found = Artifact.objects.filter(step_run=row["id"]).order_by("-created_at", "name")[:200]
    return {"artifacts": [artifact_line(view, one) for one in found]}


def artifact_line(view: RunView, one: Artifact) -> Data:
    return {
        "id": str(one.pk),
        "name": one.name,
        "kind": one.kind,
        "size": one.size,
        "sha256": one.sha256,
        "created_at": one.created_at,
        "url": view.part("artifact", one.pk),
        "download_url": content_url(one.pk),
    }


def content_url(artifact_id: object) -> str:
    """The bytes as a download; the API hands them out and checks them."""
    return reverse("api:get_artifact_content", args=[artifact_id])


def _attempts(view: RunView, row: Data) -> Data:
    return {"attempts": [_attempt(view, row, one) for one in log.attempts_of(row)]}


def _attempt(view: RunView, row: Data, one: ExecutionRun) -> Data:
    used = usage(one.usage)
    return {
        "number": one.number,
        "outcome": one.outcome,
        "reason": one.reason,
        "error": one.error,
        "started_at": one.started_at,
        "finished_at": one.finished_at,
        "exit_code": one.exit_code,
        "model": one.model,
        "sandbox": one.sandbox,
        "tokens": used["input_tokens"] + used["output_tokens"],
        "cost_usd": used["cost_usd"],
        "log_url": view.address(step=row["key"], panel="log", attempt=one.number, line=None),
        "digest": one.digest,
        "sync": sync_of(view, one),
    }


def _approval(view: RunView, row: Data) -> Data:
    return {"packets": packets.packets_of_step(view, row)}


def _policy(view: RunView, row: Data) -> Data:
    found = policy(row["verdict"] or view.plan.policies[view.plan.place[row["key"]]])
    return {"policy": {**found, "boundary": _boundary(view, row)}}


def _boundary(view: RunView, row: Data) -> Data | None:
    """Of the step's attempt, once there is one; before that, what would hold now."""
    if not runs_code(view.definition(row["key"])):
        return None
    begun = ExecutionRun.objects.filter(step_run=row["id"]).order_by("-token").values_list("sandbox", flat=True).first()
    name = begun or boundary.found(view.run.project)
    return {"name": name, "words": boundary.WORDS[name], "begun": bool(begun)}


BODIES: dict[str, Callable[[RunView, Data], Data]] = {
    "log": _log,
    "agent": _agent,
    "io": _io,
    "diff": _diff,
    "artifacts": _artifacts,
    "attempts": _attempts,
    "approval": _approval,
    "policy": _policy,
}
