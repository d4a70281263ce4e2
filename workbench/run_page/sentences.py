"""The state line: what is happening, or what is waited for, in one sentence that names step and people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.models import Event
from workbench.run_page.asking import Asked, asked_of
from workbench.run_page.view import RunView

Data = dict[str, Any]
LONGEST_ERROR = 240


def display_state(view: RunView) -> str:
    """The run's state, where a pause or an end that was asked for is still under way told apart."""
    if view.run.control == "cancel" and not view.run.is_final:
        return "canceling"
    return "pausing" if view.run.state_reason == "pausing" else str(view.run.state)


def sentence(view: RunView) -> str:
    state = display_state(view)
    say = SENTENCES.get(state)
    return say(view) if say else ""


def _queued(view: RunView) -> str:
    if view.run.state_reason == "workspace_busy":
        return "another run works in the project's folder; this one begins when that ends."
    limit = view.run.project.max_active_runs
    return f"{limit} runs of this project are active, which is its limit; this one begins when another ends."


def _running(view: RunView) -> str:
    working = _names(view, "running")
    if working:
        said = f"{_listed(working)}."
    elif later := _names(view, "retry_wait"):
        said = f"{_listed(later)} will be tried again."
    else:
        said = f"{_listed(_names(view, 'ready'))} will start as soon as there is a free place."
    waiting = _names(view, "awaiting_approval")
    return f"{said} {_listed(waiting)} wait{_s(waiting)} for a decision." if waiting else said


def _blocked(view: RunView) -> str:
    asked = asked_of(view)
    if not asked:
        expired = _names(view, "awaiting_approval")
        return f"nobody decided about {_listed(expired)} in time. Retry, skip or cancel."
    first, names = asked[0], _names(view, "awaiting_approval")
    more = len(names) - 1
    also = (
        f" {more} more step{'s' if more > 1 else ''} wait{'' if more > 1 else 's'} for decisions." if more > 0 else ""
    )
    restore = " Retry it to restore them." if "drift" in first.approval.facts else ""
    return " ".join(part for part in (f"{_wish(first)}.{restore}", first.standing) if part) + also


SUBJECTS = {
    "skip": "the skip of “{name}”",
    "override": "running “{name}” against the rules",
    "replan": "a replan",
}


def _wish(asked: Asked) -> str:
    subject = SUBJECTS.get(asked.approval.kind, "“{name}”").format(name=asked.name)
    if asked.lacks:
        return f"{subject} waits for a decision that nobody may make as things stand; add an approver to the project"
    if "drift" in asked.approval.facts:
        return f"files changed behind the run's back. “{asked.name}” waits until {asked.deciders} accept them"
    if asked.approval.kind == "replan":
        return f"a replan that weakens a guard waits for an approval by {asked.deciders}"
    if asked.approval.quorum == 1:
        return f"{subject} waits for an approval by {asked.deciders}"
    return f"{subject} waits for {asked.missing} of {asked.approval.quorum} approvals by {asked.deciders}"


def _paused(view: RunView) -> str:
    if lost := _names(view, "interrupted"):
        return f"nobody knows how {_listed(lost)} ended. Look at what it did, then resume, resolve or skip it."
    return "nothing starts until somebody resumes it."


def _pausing(view: RunView) -> str:
    return f"{_listed(_names(view, 'running'))} may still finish; nothing new starts."


def _canceling(view: RunView) -> str:
    return f"{_listed(_names(view, 'running'))} {_is(_names(view, 'running'))} being ended."


def _failed(view: RunView) -> str:
    failed = [row for row in view.rows if row["state"] == "failed"]
    counted = [row for row in failed if not view.definition(row["key"]).get("continue_on_error")] or failed
    if not counted:
        return ""
    first, more = counted[0], len(counted) - 1
    also = f" {more} more step{'s' if more > 1 else ''} failed." if more else ""
    how = "is denied by policy" if first["state_reason"] == "policy_denied" else "failed"
    return f"“{view.name(first['key'])}” {how}. {first_line(first['error'])}{also}".strip()


def _succeeded(view: RunView) -> str:
    done, skipped, failed = view.counts["succeeded"], view.counts["skipped"], view.counts["failed"]
    parts = [f"{skipped} skipped" if skipped else "", f"{failed} failed without harm" if failed else ""]
    beside = f" ({', '.join(part for part in parts if part)})" if skipped or failed else ""
    if len(view.rows) == done == 1:
        return f"“{view.name(view.rows[0]['key'])}”."
    return f"{done} of {len(view.rows)} steps done{beside}."


def _canceled(view: RunView) -> str:
    asked = Event.objects.filter(run=view.run, type__in=["run.cancel_asked", "run.timed_out"]).order_by("sequence_no")
    found = asked.values("type", "actor", "data").first()
    if found is None:
        return ""
    if found["type"] == "run.timed_out":
        return "its time was over before it was done."
    return f"by {found['actor']}: {first_line(found['data'].get('reason', ''))}"


SENTENCES = {
    "queued": _queued,
    "running": _running,
    "blocked": _blocked,
    "paused": _paused,
    "pausing": _pausing,
    "canceling": _canceling,
    "failed": _failed,
    "succeeded": _succeeded,
    "canceled": _canceled,
}


def first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return f"{line[:LONGEST_ERROR]}…" if len(line) > LONGEST_ERROR else line


def _names(view: RunView, state: str) -> list[str]:
    return [view.name(row["key"]) for row in view.rows if row["state"] == state]


def _listed(names: Sequence[str]) -> str:
    """At most two by name."""
    if not names:
        return "a step"
    shown = " and ".join(f"“{name}”" for name in names[:2])
    return shown if len(names) <= 2 else f"“{names[0]}” and {len(names) - 1} more"


def _s(names: Sequence[str]) -> str:
    return "s" if len(names) == 1 else ""


def _is(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"
