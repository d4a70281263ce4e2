"""The buttons of a run and of a step. Which there are, the engine says; what is off says why."""

from __future__ import annotations

from typing import Any, NamedTuple

from orchestration.engine import actions
from policy import access
from workbench.run_page.view import RunView

Data = dict[str, Any]


class Button(NamedTuple):
    label: str
    icon: str
    tone: str = ""


RUN_BUTTONS = {
    "pause": Button("Pause", "player-pause"),
    "resume": Button("Resume", "player-play", "btn-primary"),
    "cancel": Button("Cancel", "player-stop"),
}
STEP_BUTTONS = {
    "retry-step": Button("Retry", "refresh", "btn-primary"),
    "resume": Button("Resume", "player-play"),
    "resolve-step": Button("Resolve", "check"),
    "override-step": Button("Run it against the rules", "ban"),
    "skip-step": Button("Skip", "player-skip-forward"),
}
RETRY_NOW = Button("Retry now", "refresh", "btn-primary")
TOO_LOW = access.TOO_LOW[access.Permission.LAUNCH]
OVER = "the run is over"


def run_controls(view: RunView) -> Data:
    """For `_controls.html`: what stands beside the state line, and what is behind the dots."""
    shown = ["resume"] if "resume" in view.allowed else ["pause"]
    more = [_run_button(view, "replan", Button("Replan", "adjustments"))]
    return {
        "controls": [*(_run_button(view, name, RUN_BUTTONS[name]) for name in (*shown, "cancel")), _report(view)],
        "more": more if not view.run.is_final else [],
    }


def step_controls(view: RunView, row: Data) -> list[Data]:
    """For the head of the panel: only what the step's state allows; a reader sees it, but it is off."""
    allowed = actions.step_actions(view.run, row["state"], row["type"], row["state_reason"])
    buttons = {**STEP_BUTTONS, **({"retry-step": RETRY_NOW} if row["state"] == "retry_wait" else {})}
    return [
        _button(view, name, button, step=row["key"], enabled=view.may_launch, reason=TOO_LOW)
        for name, button in buttons.items()
        if name in allowed
    ]


def _run_button(view: RunView, name: str, button: Button) -> Data:
    reason = TOO_LOW if not view.may_launch else _why_not(view, name)
    return _button(view, name, button, step="", enabled=not reason, reason=reason)


def _button(view: RunView, name: str, button: Button, *, step: str, enabled: bool, reason: str) -> Data:
    query = {"step_key": step} if step else {}
    return {
        "name": name,
        "label": button.label,
        "icon": button.icon,
        "tone": button.tone,
        "url": view.part("replan") if name == "replan" else view.part("run-action", name, **query),
        "sheet": name != "replan",
        "enabled": enabled,
        "reason": reason.rstrip("."),
    }


def _report(view: RunView) -> Data:
    looks = {"name": "report", "label": "Report", "icon": "report-analytics", "tone": "", "reason": ""}
    return {**looks, "url": view.part("report"), "sheet": False, "enabled": True}


def _why_not(view: RunView, name: str) -> str:
    if name in view.allowed:
        return ""
    if view.run.is_final:
        return OVER
    if view.run.control == "cancel":
        return "the run is being canceled"
    return {
        "pause": "the run has failed, so nothing would start anyway" if view.run.state == "failed" else "it is paused",
        "replan": "a step is executing; pause first and let it finish",
    }.get(name, f"the run is {view.run.get_state_display().lower()}")
