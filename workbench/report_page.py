"""A report as its page wants it: moments as times, addresses beside names, what belongs to a step at the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.urls import reverse

from workbench.run_page import checks
from workbench.run_page.panel import content_url
from workbench.run_page.sentences import sentence
from workbench.run_page.view import RunView

Data = dict[str, Any]


def told(view: RunView, report: Mapping[str, Any]) -> Data:
    """For `report.html`."""
    run = report["run"]
    place = [view.run.project.slug, view.run.feature.slug]
    return {
        "title": f"{run['workflow']['name']}, run {run['number']}",
        "state": run["state"],
        "purpose": _purpose(view),
        "feature": {"title": view.run.feature.title, "url": reverse("feature", args=place)},
        "run": {"number": run["number"], "label": f"Run {run['number']}", "url": view.url},
        "workflow": {"name": run["workflow"]["name"], "versions": _versions(report)},
        "launched_by": run["created_by"],
        "started_at": _moment(run["started_at"]) or _moment(run["created_at"]),
        "finished_at": _moment(run["finished_at"]),
        "sequence_no": report["events"]["last"],
        "inputs": run["inputs"],
        "steps": [_step(step, report) for step in [*report["steps"], *report["superseded_steps"]]],
        "checks": _checks(report),
        "artifacts": [_artifact(view, one) for one in report["artifacts"]],
        "diff": _diff(report),
        "usage": run["usage"],
        "actions": [{**one, "at": _moment(one["at"])} for one in report["actions"]],
        "retries": [_timed(one) for one in report["retries"]],
        "commits": report["commits"],
        "workspace": run["workspace"],
        "usage_by_model": report["usage_by_model"],
        "redactions": report["redactions"],
        "audit": {**report["audit"], "status": _chain(report["audit"])},
    }


def _chain(audit: Mapping[str, Any]) -> str:
    if audit["chain"] != "whole":
        return str(audit["chain"])
    return f"the chain between them is whole, the last one's hash is {audit['last_hash'][:16]}…"


def _purpose(view: RunView) -> str:
    """What the plan is for, and how it stands; the same words for every reader."""
    stands = sentence(replace(view, actor=None))
    return " ".join(part for part in (view.plan.header.get("description", ""), stands[:1].upper() + stands[1:]) if part)


def _versions(report: Mapping[str, Any]) -> list[Data]:
    """The version it began with, and one for each replan."""
    replans = [one["data"] for one in report["actions"] if one["type"] == "run.replanned"]
    first = replans[0].get("before") if replans else report["run"]["workflow"]["version"]
    return [{"number": first}, *({"number": one.get("version"), "reason": one.get("reason", "")} for one in replans)]


def _step(step: Mapping[str, Any], report: Mapping[str, Any]) -> Data:
    return {
        **step,
        "duration": step["duration_seconds"],
        "reasons": step["policy"]["reasons"] if step["policy"]["verdict"] != "allow" else [],
        "attempts": [_timed(attempt) for attempt in step["attempts"]],
        "decisions": [_timed(decision) for approval in step["approvals"] for decision in approval["decisions"]],
        "skip": _skip(step["key"], report) if step["state"] == "skipped" else None,
        "anchor": step["key"] if step["state"] != "superseded" else f"{step['key']}-replaced",
    }


def _timed(row: Mapping[str, Any]) -> Data:
    moments = {name: _moment(row[name]) for name in ("at", "started_at", "finished_at") if name in row}
    return {**row, **moments}


def _skip(key: str, report: Mapping[str, Any]) -> Data | None:
    """Who asked for it, though another person released it."""
    found = [one for one in report["skips"] if one["step_key"] == key and one["what"] != "condition"]
    return {**found[-1], "by": found[0]["by"]} if found else None


def _checks(report: Mapping[str, Any]) -> list[Data]:
    """Of the last attempt of each step."""
    last = [(step, step["attempts"][-1]) for step in report["steps"] if step["attempts"]]
    return [
        {**checks.check_line(check), "step": {"name": step["name"], "url": f"#step-{step['key']}"}}
        for step, attempt in last
        for check in attempt["checks"]
    ]


def _artifact(view: RunView, one: Mapping[str, Any]) -> Data:
    return {
        **one,
        "step": one["step_key"],
        "url": view.part("artifact", one["id"]),
        "download_url": content_url(one["id"]),
    }


def _diff(report: Mapping[str, Any]) -> Data | None:
    found = [one["lineage"] for one in report["artifacts"] if one["kind"] == "diff"]
    if not found:
        return None
    totals = {"files": "files", "additions": "insertions", "deletions": "deletions"}
    return {name: sum(int(one.get(stored, 0)) for one in found) for name, stored in totals.items()}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
