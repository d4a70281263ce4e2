"""Events in words: one line each, with icon and tone, newest first, filtered by kind and actor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from orchestration.models import Event
from orchestration.reading.histories import EVENT_COLUMNS
from policy import access
from workbench.run_page.view import RunView, number_in
from workbench.templatetags import badges

Data = dict[str, Any]
SHOWN = 200
PEOPLE, PARTS = "@people", "@system"
SYSTEM = ("worker", "sweeper", "reconciler")
KINDS = {
    "run": "The run",
    "step": "Steps",
    "approval": "Approvals",
    "agent": "Agents",
    "tool_call": "Tool calls",
    "attempt": "Recovery",
    "audit": "On the audit record",
}


class Look(NamedTuple):
    text: str
    icon: str = "point"
    tone: str = "idle"


LOOKS = {
    "run.created": Look("launched the run", "player-play", "active"),
    "run.admitted": Look("the run may begin", "check"),
    "run.queued": Look("the run is queued", "clock"),
    "run.running": Look("the run is running", "loader-2", "active"),
    "run.blocked": Look("the run waits for people", "hand-stop", "warn"),
    "run.paused": Look("the run is paused", "player-pause", "hold"),
    "run.failed": Look("the run failed", "circle-x", "bad"),
    "run.succeeded": Look("the run succeeded", "circle-check", "good"),
    "run.canceled": Look("the run is canceled", "ban"),
    "run.pause_asked": Look("asked for a pause", "player-pause", "hold"),
    "run.resume_asked": Look("resumed", "player-play", "active"),
    "run.cancel_asked": Look("asked to cancel", "player-stop"),
    "run.timed_out": Look("the run's time is over", "hourglass-off", "bad"),
    "run.replanned": Look("replanned what had not started", "adjustments", "hold"),
    "run.replan_approved": Look("agreed to the replan", "check", "good"),
    "run.workspace_ready": Look("the worktree is ready", "git-branch"),
    "run.drift_found": Look("found files changed, and not by the run:", "file-diff", "warn"),
    "run.drift_accepted": Look("accepted the changed files", "checks", "good"),
    "run.restore_asked": Look("asked to restore the files", "arrow-back-up", "hold"),
    "run.workspace_restored": Look("the files are restored", "arrow-back-up"),
    "step.opened": Look("is ready", "circle-dot", "active"),
    "step.gated": Look("needs a decision before it starts", "hand-stop", "warn"),
    "step.settled": Look("is settled", "circle-check"),
    "step.condition_false": Look("is left out: its condition is false", "player-skip-forward"),
    "step.denied": Look("is denied by policy", "ban", "bad"),
    "step.approved": Look("is approved", "check", "good"),
    "step.rejected": Look("is rejected", "x", "bad"),
    "step.expired": Look("was not decided in time", "hourglass-off", "bad"),
    "step.lapsed": Look("needs a new decision: what would run has changed", "replace", "warn"),
    "step.started": Look("started", "player-play", "active"),
    "step.returned": Look("was given back; nothing had begun", "arrow-back-up"),
    "step.succeeded": Look("succeeded", "circle-check", "good"),
    "step.retrying": Look("will be tried again", "clock", "warn"),
    "step.failed": Look("failed", "circle-x", "bad"),
    "step.interrupted": Look("was interrupted; nobody knows how it ended", "unlink", "hold"),
    "step.checkpointed": Look("stopped at a checkpoint and waits for a decision", "hand-stop", "warn"),
    "step.due": Look("is due again", "circle-dot", "active"),
    "step.replan_asked": Look("waits for a decision about a replan", "adjustments", "warn"),
    "step.rechecked": Look("may be looked at again", "circle-dashed"),
    "step.retried": Look("is retried", "refresh", "active"),
    "step.resolved": Look("is resolved by a person", "user-check"),
    "step.skipped": Look("is skipped", "player-skip-forward"),
    "step.skip_asked": Look("is asked to be skipped", "player-skip-forward", "warn"),
    "step.override_asked": Look("is asked to be run against the rules", "alert-triangle", "warn"),
    "step.override_refused": Look("stays denied", "ban", "bad"),
    "step.canceled": Look("is canceled", "ban"),
    "step.superseded": Look("is replaced by a new plan", "replace"),
    "step.artifacts": Look("left artifacts:", "package"),
    "approval.requested": Look("a decision is asked", "hand-stop", "warn"),
    "approval.decided": Look("a decision was made:", "user-check"),
    "approval.consumed": Look("the approval is used", "checks", "good"),
    "approval.superseded": Look("the request is replaced", "replace"),
    "approval.revoked": Look("the approval is taken back", "arrow-back-up", "warn"),
    "alert.approved_soon_after_grant": Look("was approved by somebody whose role is new", "alert-triangle", "warn"),
    "approval.lapsed": Look("the approval no longer holds", "replace", "warn"),
    "approval.expired": Look("the time to decide is over", "hourglass-off"),
    "attempt.taken_up": Look("its work goes on under a new worker", "refresh", "hold"),
    "attempt.reconciled": Look("its provider was asked how it stands:", "refresh", "hold"),
    "agent.context": Look("documents were attached", "file-text"),
    "agent.turn.started": Look("asks the model", "robot"),
    "agent.turn.finished": Look("the model answered", "robot", "active"),
    "agent.notice": Look("notes", "info-circle"),
    "agent.retry": Look("asks the provider again", "refresh", "warn"),
    "tool_call.requested": Look("wants to use a tool:", "terminal-2"),
    "tool_call.finished": Look("used a tool:", "check"),
    "tool_call.refused": Look("was refused a tool:", "ban", "warn"),
    "tool_call.pending": Look("waits for a decision about a tool:", "hand-stop", "warn"),
}


def happening(view: RunView, row: Mapping[str, Any], seen: int | None = None) -> Data:
    """For `_event.html`. A type that has no words here is shown by its name."""
    look = LOOKS.get(row["type"], Look(row["type"].replace(".", " ").replace("_", " ")))
    data, key = row["data"], row["step_key"]
    return {
        "sequence_no": row["sequence_no"],
        "type": row["type"],
        "at": row["at"],
        "icon": look.icon,
        "tone": _tone(row, look),
        "text": f"{look.text} {_more(row['type'], data)}".strip(),
        "reason": _reason(data),
        "step": {"key": key, "name": view.name(key), "url": view.step_url(key)} if key else None,
        "actor": row["actor"],
        "audit_url": audit_url(row["audit_sequence"]) if row["audit_sequence"] else "",
        "audit_sequence": row["audit_sequence"],
        "is_new": seen is not None and row["sequence_no"] > seen,
    }


def event_list(view: RunView, seen: int | None = None) -> Data:
    """For `_events.html`: newest first, one portion."""
    kind, actor, before = view.asked.get("kind", ""), view.asked.get("actor", ""), number_in(view.asked, "before")
    found = _of_kind(Event.objects.filter(run=view.run, sequence_no__lte=view.run.last_sequence_no), kind)
    found = _by(found, actor) if actor else found
    found = found.filter(sequence_no__lt=before) if before else found
    rows = list(found.order_by("-sequence_no").values(*EVENT_COLUMNS)[: SHOWN + 1])
    older = rows[SHOWN - 1]["sequence_no"] if len(rows) > SHOWN else None
    return {
        "events": [happening(view, row, seen) for row in rows[:SHOWN]],
        "events_id": "events-filtered" if kind or actor or before else "events",
        "event_filters": _filters(view, kind, actor),
        "older_url": view.address(tab="events", before=older) if older else "",
        "previous_url": view.address(tab="events", before=None) if before else "",
    }


def _of_kind(found: Any, kind: str) -> Any:
    if kind == "audit":
        return found.exclude(audit_sequence=None)
    return found.filter(type__startswith=f"{kind}.") if kind in KINDS else found


def _by(found: Any, actor: str) -> Any:
    if actor == PEOPLE:
        return found.exclude(actor__in=SYSTEM)
    return found.filter(actor__in=SYSTEM) if actor == PARTS else found.filter(actor=actor)


def _filters(view: RunView, kind: str, actor: str) -> Data:
    """Who may appear, not who did: what the socket adds needs no new choice."""
    members = access.members_with_role(view.run.project).order_by("username").values_list("username", flat=True)[:100]
    actors = {PEOPLE: "People", PARTS: "The system", **{name: name for name in members}}
    return {
        "action": view.url,
        "kinds": [{"value": v, "label": label, "selected": v == kind} for v, label in KINDS.items()],
        "actors": [{"value": v, "label": label, "selected": v == actor} for v, label in actors.items()],
    }


def audit_url(sequence: int) -> str:
    return f"/admin/policy/auditrecord/{sequence}/change/"


def _tone(row: Mapping[str, Any], look: Look) -> str:
    if row["type"] == "approval.decided":
        return "good" if row["data"].get("decision") == "approve" else "bad"
    if row["type"] == "step.settled" or row["type"] == "step.resolved":
        return badges.look("step", str(row["data"].get("to", ""))).tone
    return look.tone


def _more(kind: str, data: Mapping[str, Any]) -> str:
    say = MORE.get(kind)
    return say(data) if say else ""


def _reason(data: Mapping[str, Any]) -> str:
    found = data.get("asked_reason") or (data.get("reason") if "from" not in data else "") or data.get("message")
    return str(found or "")[:400]


def _exit(data: Mapping[str, Any]) -> str:
    return f"(exit {data['exit_code']})" if data.get("exit_code") is not None else ""


def _wait(data: Mapping[str, Any]) -> str:
    return f"in {float(data['wait_seconds']):g} s" if data.get("wait_seconds") is not None else ""


def _names(data: Mapping[str, Any]) -> str:
    names: Iterable[Any] = data.get("names", ())
    return ", ".join(str(name) for name in names)[:300]


def _at_provider(data: Mapping[str, Any]) -> str:
    """What the provider said, and what that means for the attempt."""
    if data.get("sync_status") == "error":
        return f"it could not be asked. {data.get('error', '')}"
    said = str(data.get("at_provider", "")).replace("_", " ")
    ended = ", stopped there" if data.get("was_stopped") else ""
    return f"{said}{ended}" + (", out of step with this run" if data.get("sync_status") == "stale" else "")


MORE: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "run.created": lambda data: f"with version {data.get('version', '?')} of the plan",
    "run.replanned": lambda data: f"(version {data.get('before', '?')} to {data.get('version', '?')})",
    "run.drift_found": lambda data: ", ".join(str(file["path"]) for file in data.get("files", ()))[:300],
    "step.started": lambda data: f"(attempt {data['attempt']})" if data.get("attempt", 1) != 1 else "",
    "step.failed": _exit,
    "step.retrying": _wait,
    "step.settled": lambda data: badges.label("step", str(data.get("to", ""))).lower(),
    "step.resolved": lambda data: f"as {data.get('to', '')}",
    "step.artifacts": _names,
    "approval.requested": lambda data: f"of {data['quorum']} people" if data.get("quorum", 1) > 1 else "",
    "approval.decided": lambda data: {"approve": "approved", "reject": "rejected"}.get(str(data.get("decision")), ""),
    "attempt.reconciled": _at_provider,
    "agent.turn.finished": lambda data: (
        f"({data.get('input_tokens', 0)} tokens in, {data.get('output_tokens', 0)} out)"
    ),
    "tool_call.requested": lambda data: str(data.get("name", "")),
    "tool_call.finished": lambda data: str(data.get("name", "")),
    "tool_call.refused": lambda data: str(data.get("name", "")),
    "tool_call.pending": lambda data: str(data.get("name", "")),
}
