"""The timeline: a bar for each stretch of a step, waiting for a person told apart from working."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from orchestration.models import ExecutionRun
from policy.models import Approval
from workbench.run_page.view import RunView
from workbench.templatetags.times import duration

Data = dict[str, Any]
MOST_ROWS = 300
THINNEST = 0.4
MARKS = 5
SCALES: tuple[tuple[int, str, tuple[int, ...]], ...] = (
    (86400, "d", (1, 2, 5, 10, 30, 100)),
    (3600, "h", (1, 2, 4, 8, 12, 24)),
    (60, "min", (1, 2, 5, 10, 20, 30)),
    (1, "s", (1, 2, 5, 10, 20, 30)),
)
Stretch = tuple[datetime, datetime, str]  # start, end, kind


def timeline(view: RunView) -> Data:
    """For `_timeline.html`; only steps that something has happened to."""
    stretches = _stretches(view)
    began = [row for row in view.rows if row["id"] in stretches][:MOST_ROWS]
    if not began:
        return {"ticks": [], "rows": [], "hidden": 0}
    start = min(stretch[0] for row in began for stretch in stretches[row["id"]])
    end = max(stretch[1] for row in began for stretch in stretches[row["id"]])
    whole = max((end - start).total_seconds(), 1.0)
    return {
        "ticks": _ticks(whole),
        "rows": [_row(view, row, stretches[row["id"]], start, whole) for row in began],
        "hidden": sum(row["id"] in stretches for row in view.rows) - len(began),
    }


def _stretches(view: RunView) -> dict[int, list[Stretch]]:
    found: dict[int, list[Stretch]] = {}
    columns = ("step_run_id", "started_at", "finished_at", "outcome")
    for step, start, end, outcome in _tried(view).values_list(*columns):
        if outcome != "returned":
            earlier = found.setdefault(step, [])
            if earlier and earlier[-1][2] == "working":
                earlier.append((earlier[-1][1], start, "retry"))
            earlier.append((start, end or view.now, "working"))
    _add_waits(view, found)
    for row in view.rows:
        if row["id"] not in found and row["started_at"] and row["finished_at"]:
            found[row["id"]] = [(row["started_at"], row["finished_at"], "working")]
    return found


def _tried(view: RunView) -> Any:
    return ExecutionRun.objects.filter(run=view.run).order_by("started_at", "id")


def _add_waits(view: RunView, found: dict[int, list[Stretch]]) -> None:
    """What a person was asked, until the answer; a request that was replaced ends with the next one."""
    ids = [row["id"] for row in view.rows if row["state"] != "pending"]
    asked = Approval.objects.filter(subject__in=[f"step:{pk}" for pk in ids[: MOST_ROWS * 2]]).order_by("requested_at")
    for subject, state, start, decided, expires in asked.values_list(
        "subject", "state", "requested_at", "decided_at", "expires_at"
    ):
        end = decided or (
            view.run.finished_at or view.now if state == "pending" else expires if state == "expired" else start
        )
        found.setdefault(int(subject[5:]), []).append((start, max(start, end or start), "waiting"))


def _row(view: RunView, row: Data, stretches: Iterable[Stretch], start: datetime, whole: float) -> Data:
    ordered = sorted(stretches)
    bars = [_bar(stretch, start, whole) for stretch in ordered if stretch[1] > stretch[0] or stretch[2] == "working"]
    took = sum((end - begin for begin, end, _ in ordered), timedelta()).total_seconds()
    name = view.name(row["key"])
    return {
        "key": row["key"],
        "name": name,
        "url": view.step_url(row["key"]),
        "state": row["state"],
        "took": duration(took),
        # What is open counts on while the page stands, as in the list of steps.
        "since": view.now - timedelta(seconds=took) if ordered[-1][1] == view.now else None,
        "bars": bars,
        "summary": f"{name}: {', '.join(bar['title'] for bar in bars)}",
    }


def _bar(stretch: Stretch, start: datetime, whole: float) -> Data:
    begin, end, kind = stretch
    x = 100 * (begin - start).total_seconds() / whole
    width = max(THINNEST, 100 * (end - begin).total_seconds() / whole)
    words = {"working": "worked", "waiting": "waited for a person", "retry": "waited to retry"}[kind]
    return {
        "x": f"{min(x, 100 - THINNEST):.2f}",
        "width": f"{min(width, 100 - x + THINNEST):.2f}",
        "kind": kind,
        "title": f"{words} {duration((end - begin).total_seconds())}",
    }


def _ticks(whole: float) -> list[Data]:
    """At most five marks, all in one unit, so that their words are short."""
    size, unit, paces = next(scale for scale in SCALES if whole >= scale[0] * 2 or scale[0] == 1)
    pace = size * next((pace for pace in paces if whole / (pace * size) <= MARKS), paces[-1])
    marks = [pace * place for place in range(int(whole // pace) + 1)]
    return [
        {"x": f"{100 * at / whole:.2f}", "label": f"{at // size} {unit}" if at else "0", "anchor": _anchor(at, whole)}
        for at in marks
    ]


def _anchor(at: int, whole: float) -> str:
    if at == 0:
        return "start"
    return "end" if at / whole > 0.95 else "middle"
