"""The list of steps: rows in plan order or by state, and how many there are in each state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestration.reading.plain import usage
from workbench.run_page.view import RunView, number_in
from workbench.templatetags import badges

Data = dict[str, Any]
# What needs people comes first, what is done last.
BY_STATE = (
    "awaiting_approval", "interrupted", "failed", "running", "retry_wait", "ready", "pending", "canceled", "skipped",
    "succeeded",
)  # fmt: skip
AT_ONCE = 500
WORDS = {
    ("pending", ""): "Waiting",
    ("awaiting_approval", "policy"): "Needs approval: policy",
    ("awaiting_approval", "approval_lapsed"): "Approval lapsed",
    ("awaiting_approval", "approval_expired"): "Nobody decided in time",
    ("awaiting_approval", "skip_asked"): "Skip asked",
    ("awaiting_approval", "replan_asked"): "Replan asked",
    ("awaiting_approval", "workspace_drift"): "Files changed outside",
    ("awaiting_approval", "override_asked"): "Override asked",
    ("failed", "policy_denied"): "Denied by policy",
    ("failed", "rejected"): "Rejected",
    ("failed", "workspace_drift"): "Changed files refused",
    ("failed", "timeout"): "Timed out",
    ("failed", "validation"): "Checks failed",
    ("failed", "condition_error"): "Condition broken",
    ("skipped", "condition"): "Skipped: condition",
    ("skipped", "rejected"): "Skipped: rejected",
    ("canceled", "effect_unknown"): "Canceled, effect unknown",
}


def step_list(view: RunView) -> Data:
    """For `_steps.html`."""
    by_state = view.asked.get("order") == "state"
    start = min(number_in(view.asked, "from") or 0, max(0, len(view.rows) - 1)) if not by_state else 0
    return {
        "steps": [] if by_state else step_rows(view, view.rows[start : start + AT_ONCE]),
        "steps_order": "state" if by_state else "plan",
        "order_urls": {"plan": view.address(order=None), "state": view.address(order="state", **{"from": None})},
        "groups": _groups(view) if by_state else [],
        "tally": tally(view),
        "earlier_steps_url": view.address(**{"from": max(0, start - AT_ONCE) or None}) if start else "",
        "later_steps_url": view.address(**{"from": start + AT_ONCE}) if _has_more(view, start, by_state) else "",
    }


def _has_more(view: RunView, start: int, by_state: bool) -> bool:
    return not by_state and len(view.rows) > start + AT_ONCE


def _groups(view: RunView) -> list[Data]:
    left, groups = AT_ONCE, []
    for state in BY_STATE:
        found = [row for row in view.rows if row["state"] == state]
        if found and left > 0:
            groups.append(
                {"label": badges.label("step", state), "count": len(found), "rows": step_rows(view, found[:left])}
            )
            left -= len(found)
    return groups


def step_rows(view: RunView, rows: Iterable[Data]) -> list[Data]:
    return [step_row(view, row) for row in rows]


def step_row(view: RunView, row: Data) -> Data:
    return {
        "key": row["key"],
        "name": view.name(row["key"]),
        "type": row["type"],
        "state": row["state"],
        "state_word": state_word(row),
        "risk": row["risk"],
        "attempt": row["attempt"],
        "started_at": row["started_at"],
        "finished_at": _end(row),
        "cost_usd": usage(row["usage"])["cost_usd"],
        "url": view.step_url(row["key"]),
        "selected": view.asked.get("step") == row["key"],
    }


def state_word(row: Data) -> str:
    found = WORDS.get((row["state"], row["state_reason"])) or WORDS.get((row["state"], ""))
    return found or badges.label("step", row["state"])


def tally(view: RunView) -> list[Data]:
    return [{"state": state, "count": view.counts[state]} for state in BY_STATE if view.counts[state]]


def _end(row: Data) -> Any:
    """A step that waits after it began does not go on counting."""
    return row["finished_at"] or (None if row["state"] == "running" else row["started_at"])
