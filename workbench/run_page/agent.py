"""What an agent did, turn by turn, from the run's events, and what it says now, from its log.

The words are a model's: shown apart, as plain text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q

from orchestration.models import Event, ExecutionRun, LogChunk
from orchestration.providers import PROVIDERS
from orchestration.providers.config import ProviderConfig
from workbench.run_page.sync import sync_of
from workbench.run_page.view import RunView

Data = dict[str, Any]
AT_MOST = 2000
SUMMARY = 120
LIVE_CHARS, LIVE_CHUNKS = 4000, 40
COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
NOTES = {"agent.context": "file-text", "agent.notice": "info-circle", "agent.retry": "refresh"}
CALL_LOOKS = {
    "tool_call.requested": ("asked", "circle-dot", "active"),
    "tool_call.finished": ("done", "check", "good"),
    "tool_call.refused": ("refused", "ban", "warn"),
    "tool_call.denied": ("refused", "ban", "warn"),
    "tool_call.pending": ("waits for a decision", "hand-stop", "warn"),
}


def work(view: RunView, row: Data) -> Data:
    """For `_agent.html`: the newest turns of this step in order, what they used, and the words of this moment."""
    attempt = ExecutionRun.objects.filter(pk=row["execution_run_id"]).first()
    gathered = turns(view, row)
    is_live = attempt is not None and attempt.finished_at is None
    return {
        "turns": gathered,
        "totals": _totals(gathered),
        "simulated": _is_simulated(view.definition(row["key"]).get("provider")),
        "live": _live(attempt, gathered) if attempt is not None and is_live else "",
        "is_live": is_live,
        "is_thinking": is_live and bool(gathered) and not gathered[-1]["is_over"],
        "sync": sync_of(view, attempt) if attempt else None,
        "diff_url": view.address(step=row["key"], panel="diff", line=None),
        "log_url": view.address(step=row["key"], panel="log", line=None),
    }


def turns(view: RunView, row: Data) -> list[Data]:
    wanted = Q(type__startswith="agent.") | Q(type__startswith="tool_call.")
    found = Event.objects.filter(wanted, run=view.run, step_key=row["key"]).order_by("-sequence_no")
    events = list(found.values("type", "at", "data")[:AT_MOST])[::-1]
    gathered: list[Data] = []
    notes: list[Data] = []
    calls: dict[str, Data] = {}
    for event in events:
        _take(event["type"], event["at"], event["data"], gathered, notes, calls)
    return gathered


def _take(
    kind: str, at: Any, data: Mapping[str, Any], gathered: list[Data], notes: list[Data], calls: dict[str, Data]
) -> None:
    """A note that comes before the first turn stands in it."""
    if kind in NOTES:
        note = {"icon": NOTES[kind], "text": _note(kind, data)}
        (gathered[-1]["notes"] if gathered else notes).append(note)
    elif kind == "agent.turn.started":
        gathered.append({"number": data.get("turn"), "at": at, "text": "", "calls": [], "notes": [*notes]})
        gathered[-1] |= {"is_over": False, "tokens": 0, "used": {}}
        notes.clear()
    elif not gathered:
        return
    elif kind == "agent.turn.finished":
        used = {name: int(data.get(name) or 0) for name in COUNTS}
        tokens = used["input_tokens"] + used["output_tokens"]
        told = {"text": data.get("text", ""), "cost_usd": data.get("cost_usd"), "model": data.get("model", "")}
        gathered[-1].update(at=at, is_over=True, tokens=tokens, used=used, **told)
    else:
        _call(kind, data, gathered[-1], calls)


def _note(kind: str, data: Mapping[str, Any]) -> str:
    if kind == "agent.context":
        paths = ", ".join(str(path) for path in data.get("documents", ())) or "no document"
        cut = " ".join(str(sentence) for sentence in data.get("cut", ()))
        return f"Attached: {paths} (about {int(data.get('tokens') or 0):,} tokens). {cut}".strip()
    if kind == "agent.retry":
        return f"Asked again after {float(data.get('wait_seconds') or 0):g} s: {data.get('reason', '')}"
    return str(data.get("message", ""))


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


def _totals(gathered: Sequence[Data]) -> Data:
    """Of the turns that are shown. A price that is not known once is not known in sum."""
    over = [turn for turn in gathered if turn["is_over"]]
    costs = [turn["cost_usd"] for turn in over]
    used = {name: sum(turn["used"][name] for turn in over) for name in COUNTS}
    calls = sum(len(turn["calls"]) for turn in gathered)
    model = over[-1]["model"] if over else ""
    return {**used, "calls": calls, "model": model, "cost_usd": None if None in costs else sum(costs)}


def _live(attempt: ExecutionRun, gathered: Sequence[Data]) -> str:
    """The end of what the model says in a turn that is not over, half lines included."""
    if not gathered or gathered[-1]["is_over"]:
        return ""
    said = LogChunk.objects.filter(attempt=attempt, at__gte=gathered[-1]["at"]).order_by("-offset")
    text = "".join(reversed(said.values_list("text", flat=True)[:LIVE_CHUNKS]))
    return f"…{text[-LIVE_CHARS:]}" if len(text) > LIVE_CHARS else text


def _is_simulated(provider: object) -> bool:
    made = PROVIDERS.get(str(provider))
    return made is not None and made(ProviderConfig(str(provider))).capabilities().simulated


def _pretty(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, indent=2, ensure_ascii=False)


def _short(arguments: Any) -> str:
    if isinstance(arguments, Mapping):
        first = next((value for value in arguments.values() if isinstance(value, str)), "")
        return first.strip().partition("\n")[0][:SUMMARY]
    return str(arguments)[:SUMMARY]
