"""What an agent did, turn by turn, from the run's events. The words are a model's: shown apart, as plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from orchestration.models import Event
from workbench.run_page.view import RunView

Data = dict[str, Any]
AT_MOST = 2000
SUMMARY = 120
CALL_LOOKS = {
    "tool_call.requested": ("asked", "circle-dot", "active"),
    "tool_call.finished": ("done", "check", "good"),
    "tool_call.refused": ("refused", "ban", "warn"),
    "tool_call.pending": ("waits for a decision", "hand-stop", "warn"),
}


def turns(view: RunView, row: Data) -> list[Data]:
    """For `_agent.html`: the newest turns of this step, in order."""
    wanted = Q(type__startswith="agent.turn.") | Q(type__startswith="tool_call.")
    found = Event.objects.filter(wanted, run=view.run, step_key=row["key"]).order_by("-sequence_no")
    events = list(found.values("type", "at", "data")[:AT_MOST])[::-1]
    gathered: list[Data] = []
    calls: dict[str, Data] = {}
    for event in events:
        _take(event["type"], event["at"], event["data"], gathered, calls)
    return gathered


def _take(kind: str, at: Any, data: Mapping[str, Any], gathered: list[Data], calls: dict[str, Data]) -> None:
    if kind == "agent.turn.started":
        gathered.append({"number": data.get("turn"), "at": at, "text": "", "tokens": 0, "calls": []})
    elif not gathered:
        return
    elif kind == "agent.turn.finished":
        tokens = int(data.get("input_tokens") or 0) + int(data.get("output_tokens") or 0)
        gathered[-1].update(text=data.get("text", ""), tokens=tokens, at=at)
    else:
        _call(kind, data, gathered[-1], calls)


def _call(kind: str, data: Mapping[str, Any], turn: Data, calls: dict[str, Data]) -> None:
    name = str(data.get("call_id"))
    if name not in calls:
        arguments = data.get("arguments", {})
        calls[name] = {
            "name": data.get("name", ""),
            "arguments": _pretty(arguments),
            "summary": _short(arguments),
            "result": "",
        }
        turn["calls"].append(calls[name])
    state, icon, tone = CALL_LOOKS.get(kind, ("", "point", "idle"))
    if kind == "tool_call.finished" and not data.get("ok", True):
        state, icon, tone = "failed", "circle-x", "bad"
    calls[name] |= {"state": state, "icon": icon, "tone": tone}
    if said := data.get("summary") or data.get("reason"):
        calls[name]["result"] = said


def _pretty(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, indent=2, ensure_ascii=False)


def _short(arguments: Any) -> str:
    if isinstance(arguments, Mapping):
        first = next((value for value in arguments.values() if isinstance(value, str)), "")
        return first.strip().partition("\n")[0][:SUMMARY]
    return str(arguments)[:SUMMARY]
