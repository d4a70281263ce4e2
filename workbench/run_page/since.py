"""Since you last looked: at most four lines about what happened to a run meanwhile. Remembers how far one has read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestration.models import Event, RunSeen
from workbench.run_page.view import RunView

Data = dict[str, Any]
LINES = 4
AT_MOST = 5000
COUNTED = (
    ("step.failed", "circle-x", "{n} step{s} failed"),
    ("step.interrupted", "unlink", "{n} step{s} interrupted"),
    ("approval.requested", "hand-stop", "{n} decision{s} asked"),
    ("approval.decided", "user-check", "{n} decision{s} made"),
    ("run.replanned", "adjustments", "replanned {n} time{s}"),
    ("step.succeeded", "circle-check", "{n} step{s} done"),
    ("step.skipped", "player-skip-forward", "{n} step{s} skipped"),
    ("step.artifacts", "package", "{n} step{s} left artifacts"),
    ("step.retrying", "refresh", "{n} failed attempt{s} to be tried again"),
)


def last_seen(view: RunView) -> RunSeen | None:
    """How far the reader had come; None at the first look."""
    if view.actor is None or view.actor.user_id is None:
        return None
    return RunSeen.objects.filter(user_id=view.actor.user_id, run=view.run).first()


def since(view: RunView, seen: RunSeen | None) -> Data | None:
    """For `_since.html`."""
    if seen is None or seen.sequence_no >= view.run.last_sequence_no:
        return None
    news = Event.objects.filter(run=view.run, sequence_no__gt=seen.sequence_no).order_by("sequence_no")
    types = list(news.values_list("type", "step_key")[:AT_MOST])
    lines = list(_lines(view, types))[:LINES]
    return {"at": seen.at, "lines": lines} if lines else None


def mark_seen(view: RunView, upto: int | None = None) -> None:
    """Read this far: all of it, or what a page that follows has shown."""
    if view.actor is None or view.actor.user_id is None:
        return
    last = view.run.last_sequence_no
    sequence_no = last if upto is None else min(upto, last)
    RunSeen.objects.update_or_create(user_id=view.actor.user_id, run=view.run, defaults={"sequence_no": sequence_no})


def _lines(view: RunView, types: Iterable[tuple[str, str]]) -> Iterable[Data]:
    found: dict[str, list[str]] = {}
    for kind, key in types:
        found.setdefault(kind, []).append(key)
    for kind, icon, words in COUNTED:
        keys = found.get(kind, [])
        if keys:
            text = words.format(n=len(keys), s="" if len(keys) == 1 else "s")
            yield {"icon": icon, "text": text, "url": view.step_url(keys[0]) if len(keys) == 1 and keys[0] else ""}
