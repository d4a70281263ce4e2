"""The card of what the reader can do now: decide, or mend what failed. Nothing where there is nothing to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestration import logs
from orchestration.models import StepRun
from policy.models import Approval
from workbench.run_page import controls, packets
from workbench.run_page.asking import asked_of
from workbench.run_page.packets import packet
from workbench.run_page.sentences import first_line
from workbench.run_page.view import RunView

Data = dict[str, Any]
CONSEQUENCES = 6
DENIED = "policy_denied"
VARIES = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+|/\S+")


def action(view: RunView, *, forms: Mapping[str, Mapping[str, Any]] | None = None) -> Data | None:
    """For `_action_card.html`. `forms`: by approval, what was typed and not taken."""
    given = forms or {}
    mine = [one for one in asked_of(view) if one.may_decide]
    if mine:
        return {"kind": "decide", "packets": [packet(view, one, form=given.get(str(one.approval.pk))) for one in mine]}
    return _drift(view) or _diagnosis(view)


def _drift(view: RunView) -> Data | None:
    """For who can't accept changed files: what changed, and the way out without a decision."""
    row = next((row for row in view.rows if row["state_reason"] == "workspace_drift"), None)
    if row is None or row["state"] != "awaiting_approval" or view.run.control == "cancel":
        return None
    approval = Approval.objects.filter(subject=f"step:{row['id']}", state="pending").first()
    drift = approval.facts.get("drift", {}) if approval else {}
    name, url = view.name(row["key"]), view.step_url(row["key"], panel="approval")
    restore = {"label": "Restore the files", "icon": "arrow-back-up"}
    again = {"label": "Look again", "icon": "refresh"}
    retry, resume = (
        view.part("run-action", "retry-step", step_key=row["key"], restore=1), view.part("run-action", "resume"),
    )  # fmt: skip
    proposals = [{**restore, "url": retry, "sheet": True}, {**again, "url": resume, "sheet": True}]
    return {
        "kind": "diagnosis",
        "tone": "warn",
        "title": f"Files changed before “{name}”, and not by the run",
        "step": {"key": row["key"], "name": name, "url": url},
        "first_error": {"text": drift.get("problem") or packets.changed_files(drift), "url": ""},
        "consequences": [],
        "seen_before": None,
        "proposals": _proposals(proposals) if view.may_launch else [],
        "safe": "Nothing starts on them. An approver can accept them; or restore what the last step left, which "
        "throws the changes away; or put them back by hand and look again.",
    }


def _diagnosis(view: RunView) -> Data | None:
    root = _root(view)
    if root is None or view.run.is_final or view.run.control == "cancel":
        return None
    proposals = controls.step_controls(view, root)
    name = view.name(root["key"])
    is_lost = root["state"] == "interrupted"
    return {
        "kind": "diagnosis",
        "tone": "hold" if is_lost else "bad",
        "title": _title(root, name),
        "step": {"key": root["key"], "name": name, "url": view.step_url(root["key"])},
        "first_error": _first_error(view, root),
        "consequences": _consequences(view, root),
        "seen_before": None if is_lost else _seen_before(view, root),
        "proposals": _proposals(proposals) if view.may_launch else [],
        "safe": _safe(view, root),
    }


def _title(row: Data, name: str) -> str:
    if row["state"] == "interrupted":
        return f"Nobody knows how “{name}” ended"
    return f"The rules deny “{name}”" if row["state_reason"] == DENIED else f"“{name}” failed"


def _root(view: RunView) -> Data | None:
    """The first failure that stops the run: what failed by itself, not what follows from it."""
    for state in ("interrupted", "failed"):
        for row in view.rows:
            if row["state"] == state and not view.definition(row["key"]).get("continue_on_error"):
                return row
    return None


def _first_error(view: RunView, row: Data) -> Data | None:
    found = _error_line(row) if row["execution_run_id"] else None
    if found is not None:
        line, text = found
        return {"text": text, "url": f"{view.step_url(row['key'], panel='log', line=line)}#L{line}"}
    if row["error"]:
        return {"text": row["error"][:2000], "url": view.step_url(row["key"], panel="log") if row["attempt"] else ""}
    return None


def _error_line(row: Data) -> tuple[int, str] | None:
    """The first thing that the last attempt said on its error stream, else its last words."""
    chunks = logs.tail(row["execution_run_id"], chunks=8)
    said = next((chunk for chunk in chunks if chunk.stream == "stderr"), None)
    if said is not None:
        return said.first_line + 1, "\n".join(said.text.strip("\n").splitlines()[:6])[:1200]
    spoken = [chunk for chunk in chunks if chunk.stream == "stdout" and chunk.text.strip()]
    if not spoken:
        return None
    lines = spoken[-1].text.rstrip("\n").split("\n")
    return spoken[-1].first_line + len(lines), lines[-1][:600]


def _consequences(view: RunView, row: Data) -> list[str]:
    """What can't start because of it."""
    graph, keys = view.plan.graph, view.plan.keys
    todo, seen = [view.plan.place[row["key"]]], set()
    while todo:
        for place in graph.dependants[todo.pop()]:
            if place not in seen:
                seen.add(place)
                todo.append(place)
    names = [
        view.name(keys[place]) for place in sorted(seen) if view.by_key.get(keys[place], {}).get("state") == "pending"
    ]
    if len(names) <= CONSEQUENCES:
        return names
    return [*names[:CONSEQUENCES], f"{len(names) - CONSEQUENCES} more"]


def signature(error: str) -> str:
    """An error without what differs from one time to the next."""
    return VARIES.sub("#", first_line(error).lower())


def _seen_before(view: RunView, row: Data) -> Data | None:
    """The same step of earlier runs of this workflow that failed with the same words."""
    if not row["error"]:
        return None
    earlier = StepRun.objects.filter(run__workflow_id=view.run.workflow_id, key=row["key"], state="failed")
    columns = ("error", "run__number", "run__state")
    rows = list(earlier.exclude(run=view.run).order_by("-id").values(*columns)[:50])
    alike = [found for found in rows if signature(found["error"]) == signature(row["error"])]
    if not alike:
        return None
    last = view.url.replace(f"/runs/{view.run.number}/", f"/runs/{alike[0]['run__number']}/")
    return {"count": len(alike), "url": last, "fixed_by": ""}


def _proposals(found: list[Data]) -> list[Data]:
    return [{**one, "primary": place == 0} for place, one in enumerate(found)]


def _safe(view: RunView, row: Data) -> str:
    once = view.definition(row["key"]).get("effects") == "once"
    if row["state"] == "interrupted":
        return (
            "Its worker was lost while it ran. What it did may be done, half done or not begun: look before you choose."
        )
    if row["state_reason"] == DENIED:
        return (
            "Nothing of it ran. A retry helps only where the rules have changed; a replan can ask for something else."
        )
    if once:
        return "This step is declared to run only once: look at what the attempt left before you retry."
    return "Steps that succeeded are kept; only this one would run again." if not view.counts["running"] else ""
