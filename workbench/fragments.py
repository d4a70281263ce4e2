"""Events turned into the parts of the page that they redraw: the only renderer of live HTML.

Each part is the page's own partial with an out-of-band target, so that a page that followed equals a page that was
loaded. Several events redraw a part once. What is the same for everybody is rendered apart from what is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from orchestration.models import Event
from orchestration.reading.histories import EVENT_COLUMNS
from orchestration.reading.lines import Extent
from workbench.run_page import action, head, log, page, panel, steps
from workbench.run_page.happenings import happening
from workbench.run_page.view import RunView
from workbench.templatetags.dom import dom_id

Data = dict[str, Any]
AT_ONCE = 200
LINES_AT_ONCE = 1000
FIRST_TAG = re.compile(r"<([a-z]+)")


@dataclass(frozen=True)
class News:
    """What changed after an event number. `upto` is the number that this brings a page to."""

    html: str
    upto: int


def events_after(view: RunView, after: int) -> list[Data]:
    """One portion, in order."""
    news = Event.objects.filter(run=view.run, sequence_no__gt=after, sequence_no__lte=view.run.last_sequence_no)
    return list(news.order_by("sequence_no").values(*EVENT_COLUMNS)[:AT_ONCE])


def news(view: RunView, after: int) -> News:
    """All that one reader needs to come up to date, or a portion of it."""
    events = events_after(view, after)
    if not events:
        return News("", after)
    return News(for_all(view, events) + for_one(view, events), events[-1]["sequence_no"])


def for_all(view: RunView, events: Sequence[Data]) -> str:
    """Rows of steps, lines of the history, totals: the same words for everybody with the same order of steps."""
    touched = {event["step_key"] for event in events if event["step_key"] and _moves(event["type"])}
    parts = [*_history(view, events), *_steps(view, events, touched)]
    if any(event["audit_sequence"] or event["type"].startswith("step.") for event in events):
        parts.append(swapped(partial("_run_footer", {**head.identity(view), **page.footer(view)})))
    if view.run.is_final or _is_replanned(events):
        parts.append(swapped(partial("_run_identity", head.identity(view))))
    parts.append(swapped(partial("_cursor", {"last_sequence_no": events[-1]["sequence_no"]})))
    return "".join(parts)


def for_one(view: RunView, events: Sequence[Data]) -> str:
    """State line, controls and card: they depend on who reads."""
    if not any(_moves(event["type"]) for event in events):
        return ""
    parts = [
        swapped(partial("_state_line", page.state(view))),
        swapped(partial("_action_card", {"action": action.action(view)})),
    ]
    row = view.chosen
    if row is not None and any(event["step_key"] == row["key"] or event["step_key"] == "" for event in events):
        parts.append(swapped(partial("_panel_head", {"panel": panel.headline(view, row)})))
    return "".join(parts)


def state(view: RunView) -> str:
    """How the run stands now, for the answer to something that its reader did."""
    return "".join(
        [
            swapped(partial("_state_line", page.state(view))),
            swapped(partial("_action_card", {"action": action.action(view)})),
            swapped(partial("_steps", steps.step_list(view))),
        ]
    )


def log_count(key: str, total: int) -> str:
    return swapped(partial("_log_count", {"log": {"step_key": key, "total": total}}))


def log_lines(view: RunView, key: str, found: Extent, after: int) -> str:
    """The lines after one, to be added to the log of this step where it ends there."""
    block = log.block_of(found, after + 1, min(found.total, after + LINES_AT_ONCE))
    if not block["lines"]:
        return ""
    page_url = view.step_url(key, panel="log", attempt=found.number)
    lines = partial("_log_lines", {"block": block, "page_url": page_url})
    return added(lines, f"beforeend:#{dom_id('log-lines', key)}")


def partial(name: str, context: Mapping[str, Any]) -> str:
    return render_to_string(f"workbench/{name}.html", dict(context)).strip()


def swapped(html: str) -> str:
    """The partial, to take the place of the element with its id."""
    return FIRST_TAG.sub(r'<\1 hx-swap-oob="morph"', html, count=1)


def added(html: str, where: str) -> str:
    """A part to be put beside what is there; the element around it is only a label."""
    return f'<div data-added hx-swap-oob="{where}">{html}</div>'


def _history(view: RunView, events: Iterable[Data]) -> Iterable[str]:
    for event in events:
        line = partial("_event", {"event": happening(view, event)})
        yield added(line, "afterbegin:#events")


def _steps(view: RunView, events: Sequence[Data], touched: set[str]) -> Iterable[str]:
    if _is_replanned(events) or (touched and view.asked.get("order") == "state"):
        yield swapped(partial("_steps", steps.step_list(view)))
        return
    for key in sorted(touched & set(view.by_key)):
        yield swapped(partial("_step_row", {"step": steps.step_row(view, view.by_key[key])}))
    if touched:
        yield swapped(partial("_tally", {"tally": steps.tally(view)}))


def _is_replanned(events: Iterable[Data]) -> bool:
    return any(event["type"] == "run.replanned" for event in events)


def _moves(kind: str) -> bool:
    """Whether an event of this type can change more than the history."""
    return kind.startswith(("run.", "step.", "approval.", "attempt."))
