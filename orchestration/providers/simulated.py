"""The simulated provider: scripted and deterministic, asks no model, costs nothing, and says so in every answer.

Its handle holds the whole turn, so that another process can take it up. The script is only read from the step's own
prompt, never from files, documents or tool results.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .base import (
    Capabilities,
    Handle,
    Provider,
    ProviderError,
    ProviderEvent,
    ToolRequest,
    TurnRequest,
    TurnResult,
    Usage,
)
from .script import Action, example_value, parse_script, script_problems
from .transcript import estimate_tokens, turns

LABEL = "[simulated]"
FINISHES = {"max_tokens": "length", "refusal": "refusal", "content_filter": "content_filter", "pause": "pause"}


class SimulatedProvider(Provider):
    name = "simulated"
    label = "Simulated (no model is asked)"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._stop = threading.Event()

    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        return script_problems(str(definition.get("prompt") or ""))

    def capabilities(self) -> Capabilities:
        return Capabilities(resume=True, background=True, simulated=True)

    def start(self, request: TurnRequest) -> Handle:
        actions = _turn(request)
        name = hashlib.sha256(f"{request.idempotency_key}{json.dumps(actions)}".encode()).hexdigest()[:24]
        seen = sum(estimate_tokens(dict(entry)) for entry in request.transcript)
        return {
            "provider": self.name,
            "response_id": f"sim_{name}",
            "actions": actions,
            "tries": request.tries,
            "input_tokens": seen + estimate_tokens(request.system),
        }

    def events(self, handle: Handle, cursor: int = 0) -> Iterator[ProviderEvent]:
        number = 0
        for action in handle["actions"]:
            due = time.monotonic()
            for event in _events_of(action):
                number += 1
                if number <= cursor:
                    continue
                if action["do"] == "stream" and action["rate"]:
                    due += 1 / action["rate"]  # as a server does it, that does not wait for who reads
                    self._wait(max(0.0, due - time.monotonic()))
                yield ProviderEvent(event.kind, event.text, number)
                self._disturb(action, int(handle["tries"]))

    def status(self, handle: Handle) -> str:
        return "completed" if handle.get("response_id") else "unknown"

    def cancel(self, handle: Handle) -> None:
        self._stop.set()

    def abort(self) -> None:
        self._stop.set()

    def collect(self, handle: Handle) -> TurnResult:
        actions: list[Action] = handle["actions"]
        calls = tuple(
            ToolRequest(f"{handle['response_id']}_{index}", action["name"], action["arguments"])
            for index, action in enumerate(actions)
            if action["do"] == "tool"
        )
        text = "".join(event.text for action in actions for event in _events_of(action) if event.kind == "text")
        stop = next((action["text"] for action in actions if action["do"] == "stop"), "")
        return TurnResult(
            finish=FINISHES.get(stop) or ("tool_calls" if calls else "stop"),
            text=text,
            calls=calls,
            usage=_usage(actions, int(handle["input_tokens"]), text),
            model="simulated",
            response_id=str(handle["response_id"]),
            extension={"simulated": True},
        )

    def _disturb(self, action: Action, tries: int) -> None:
        """The faults a script may ask for; one that passes is over at the second try."""
        if action["do"] == "hang":
            self._wait(action["seconds"])
        if action["do"] == "cut" and (action["always"] or tries == 0):
            raise ProviderError("cut", "The simulated stream was cut.", retryable=True)
        if action["do"] == "fail" and (action["always"] or tries == 0):
            raise _failure(action)

    def _wait(self, seconds: float | None) -> None:
        if self._stop.wait(seconds):
            raise ProviderError("canceled", "The simulated turn was canceled.")


def _turn(request: TurnRequest) -> list[Action]:
    """The actions of the next turn: the script's, after it a plain end; without a script the canned ones."""
    prompt = str(request.transcript[0]["text"]) if request.transcript else ""
    script = parse_script(prompt)
    done = turns(request.transcript)
    actions = list(script[done]) if done < len(script) else []
    if not script:
        actions = _canned(request, prompt)
    ends = not any(action["do"] == "tool" for action in actions)
    if ends and not any(action["do"] in ("say", "json", "stream") for action in actions):
        actions.append(_ending(request, prompt))
    return actions


def _canned(request: TurnRequest, prompt: str) -> list[Action]:
    """Without a script: look round, read one file, leave a short note, as far as the tools are granted."""
    granted = {tool.name for tool in request.tools}
    calls = [
        str(call["name"]) for entry in request.transcript if entry["role"] == "assistant" for call in entry["calls"]
    ]
    note = f"# Note of a simulated agent\n\nNo model was asked. The goal was:\n\n> {_goal(prompt)}\n"
    wishes: list[tuple[str, dict[str, Any]]] = [
        ("list_files", {"path": "."}),
        ("read_file", {"path": _first_file(request)}),
        ("write_file", {"path": "simulated-agent-note.md", "content": note}),
        ("write_artifact", {"name": "simulated-agent-note.md", "content": note}),
    ]
    for tool, arguments in wishes:
        if tool in granted and tool not in calls and arguments.get("path") != "":
            return [
                {"do": "think", "text": f"A real agent would now decide; this script uses {tool}."},
                {"do": "tool", "name": tool, "arguments": json.dumps(arguments), "also": False},
            ]
    return []


def _first_file(request: TurnRequest) -> str:
    """A file named by the last tool result, the README before others; empty where none was named."""
    results = [
        str(result["text"]) for entry in request.transcript if entry["role"] == "tool" for result in entry["results"]
    ]
    names = [line.strip().split("\t")[0] for line in (results[-1].splitlines() if results else [])]
    files = [name for name in names if name and not name.endswith("/") and " " not in name]
    return next((name for name in files if name.lower().startswith("readme")), files[0] if files else "")


def _ending(request: TurnRequest, prompt: str) -> Action:
    if request.output_schema is not None:
        return {"do": "json", "text": json.dumps(example_value(request.output_schema))}
    used = sum(len(entry["calls"]) for entry in request.transcript if entry["role"] == "assistant")
    return {
        "do": "say",
        "text": f"This is a scripted answer, no model was asked. Goal: {_goal(prompt)} Tool calls made: {used}.",
    }


def _goal(prompt: str) -> str:
    lines = [line.strip() for line in prompt.splitlines() if line.strip() and not line.strip().startswith("!")]
    return (lines[0] if lines else "(no goal was given)")[:300]


def _events_of(action: Action) -> list[ProviderEvent]:
    kind = action["do"]
    if kind == "say":
        return [ProviderEvent("text", f"{LABEL} {action['text']}\n")]
    if kind == "json":
        return [ProviderEvent("text", action["text"])]
    if kind == "think":
        return [ProviderEvent("thinking", f"{LABEL} {action['text']}\n")]
    if kind == "tool":
        return [ProviderEvent("tool", action["name"])]
    if kind == "stream":
        return [
            ProviderEvent("text", f"{LABEL} " if index == 0 else f"word{index} ") for index in range(action["count"])
        ]
    return [ProviderEvent("progress", kind)] if kind in ("hang", "cut", "fail") else []


def _usage(actions: list[Action], input_tokens: int, text: str) -> Usage:
    told = next((action for action in actions if action["do"] == "usage"), None)
    if told is not None:
        return Usage(input_tokens=told["input"], output_tokens=told["output"])
    return Usage(input_tokens=input_tokens, output_tokens=estimate_tokens(text) + 10 * len(actions))


def _failure(action: Action) -> ProviderError:
    code = int(action["code"])
    if not code:
        return ProviderError("server", action["text"])
    kind = {429: "rate_limit", 529: "overloaded"}.get(code, "server" if code >= 500 else "invalid")
    sentence = f"The simulated provider answered {code}."
    return ProviderError(
        kind, sentence, retryable=code == 429 or code >= 500, retry_after=action["retry_after"], status=code
    )
