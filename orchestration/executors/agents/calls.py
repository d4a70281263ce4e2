"""The tool calls of one turn: asked of policy, made at most once each, recorded before and after.

Nothing a model writes widens what the step was granted. A call that needs a decision is left pending and the agent
ends at a checkpoint; it goes on with the same call, under the same id, once policy answers otherwise.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from ..base import Host, ToolCall
from ..tools import TOOLS, Place, Tool, ToolFailure, ToolOutput
from .state import AgentState, Call
from .watch import Watch

MAX_CALLS_PER_TURN = 64
MAX_RESULT_CHARS = 40_000
SHOWN_CHARS = 300


class Calls:
    def __init__(
        self,
        state: AgentState,
        granted: frozenset[str],
        host: Host,
        watch: Watch,
        place: Callable[[Call], Place],
        clean: Callable[[str], str],
    ) -> None:
        self._state = state
        self._granted = granted
        self._host = host
        self._watch = watch
        self._place = place
        self._clean = clean
        self.has_unsaved = False  # results of calls that only read

    def settle(self) -> bool:
        """Carry the open calls as far as they may go; False when one of them still waits for a decision."""
        for index, call in enumerate(self._state.calls):
            if call.result is None and call.state != "started":
                self._ask(call, index)
        if not self._is_saved_next():
            self._save()
        for call in self._state.calls:
            self._watch.look()
            if call.result is None and call.state == "pending":
                return False
            if call.result is None:
                self._make(call)
        self._state.close_calls()
        return True

    def _is_saved_next(self) -> bool:
        """Whether the start of a call, which is made durable anyway, comes before anything else."""
        first = next((call for call in self._state.calls if call.result is None), None)
        return first is not None and first.state == "open" and TOOLS[first.name].effects

    def end_begun(self) -> None:
        """When the agent has to stop: processes of calls that an earlier process began must not live on."""
        for call in self._state.calls:
            if call.result is None and call.state == "started" and TOOLS[call.name].take_up is not None:
                self._make(call)

    def _ask(self, call: Call, index: int) -> None:
        arguments = self._arguments(call)
        problem = self._problem(call, index, arguments)
        self._announce(call, arguments)
        if problem or arguments is None:
            self._refuse(call, problem)
            return
        permission = self._host.permit(ToolCall(name=call.name, arguments=arguments, id=call.call_id))
        if permission.kind == "allowed":
            call.state, call.approval_id = "open", ""
        elif permission.kind == "pending":
            self._wait_for(call, permission.approval_id)
        else:
            self._refuse(call, f"not permitted: {permission.reason or 'policy refused this call'}")

    def _problem(self, call: Call, index: int, arguments: Mapping[str, Any] | None) -> str:
        """Why this call can't even be put to policy; empty when it can."""
        if index >= MAX_CALLS_PER_TURN:
            return f"not made: at most {MAX_CALLS_PER_TURN} calls are made in one turn"
        tool = TOOLS.get(call.name)
        if tool is None or call.name not in self._granted:
            granted = ", ".join(sorted(self._granted)) or "none"
            return f"not permitted: this step was not given a tool of that name; it has: {granted}"
        if arguments is None:
            return "not made: the arguments are not a JSON object"
        fault = next(iter(Draft202012Validator(tool.parameters).iter_errors(dict(arguments))), None)
        return f"not made: {fault.message[:500]}" if fault else ""

    def _arguments(self, call: Call) -> dict[str, Any] | None:
        try:
            parsed = json.loads(call.arguments or "{}")
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, dict) else None

    def _make(self, call: Call) -> None:
        """Run one permitted call. Its start is durable before its effect, its result before the next one."""
        tool, arguments, began = TOOLS[call.name], self._arguments(call) or {}, time.monotonic()
        place = self._place(call)
        again = call.state == "started"
        if tool.effects and not again:
            call.state, call.spool = "started", str(place.spool)
            self._save()
        output = self._run(tool, arguments, place, again=again)
        self._record(call, output, time.monotonic() - began)

    def _run(self, tool: Tool, arguments: dict[str, Any], place: Place, *, again: bool) -> ToolOutput:
        try:
            return (tool.take_up or tool.run)(arguments, place) if again else tool.run(arguments, place)
        except ToolFailure as failure:
            return ToolOutput(str(failure), is_error=True)
        except (OSError, ValueError) as error:
            return ToolOutput(f"the tool failed: {type(error).__name__}: {_os_words(error)}", is_error=True)

    def _record(self, call: Call, output: ToolOutput, seconds: float) -> None:
        text = self._clean(_cut(output.text))
        call.result = {"text": text, "is_error": output.is_error}
        if output.facts.get("group_empty") is False:
            self._state.extension["group_empty"] = False
        told = {"call_id": call.call_id, "name": call.name, "ok": not output.is_error, **dict(output.facts)}
        summary = self._clean(output.summary or text)[:SHOWN_CHARS]
        self._host.emit("tool_call.finished", {**told, "summary": summary, "duration_ms": int(seconds * 1000)})
        self.has_unsaved = True
        if TOOLS[call.name].effects:
            self._save()  # what only read may be read again

    def _announce(self, call: Call, arguments: Mapping[str, Any] | None) -> None:
        if call.state == "pending":
            return
        shown = shorten(arguments) if arguments is not None else call.arguments[:SHOWN_CHARS]
        shown = json.loads(self._clean(json.dumps(shown)))
        told = {"call_id": call.call_id, "turn": self._state.turn, "name": call.name[:100], "arguments": shown}
        self._host.emit("tool_call.requested", told)

    def _refuse(self, call: Call, why: str) -> None:
        call.state, call.result = "open", {"text": why, "is_error": True}
        self._host.emit("tool_call.refused", {"call_id": call.call_id, "name": call.name[:100], "reason": why})

    def _wait_for(self, call: Call, approval_id: str) -> None:
        news = call.state != "pending"
        call.state, call.approval_id = "pending", approval_id
        if news:
            told = {"call_id": call.call_id, "name": call.name, "approval_id": approval_id}
            self._host.emit("tool_call.pending", told)

    def _save(self) -> None:
        self._state.spent_seconds = self._watch.spent
        self.has_unsaved = False
        self._host.save_checkpoint(self._state.to_json())


def shorten(value: Any) -> Any:
    """Arguments as the timeline shows them: long texts cut, shape kept."""
    if isinstance(value, Mapping):
        return {str(key)[:100]: shorten(part) for key, part in list(value.items())[:20]}
    if isinstance(value, list):
        return [shorten(part) for part in value[:20]]
    if isinstance(value, str) and len(value) > SHOWN_CHARS:
        return f"{value[:SHOWN_CHARS]}… ({len(value)} characters)"
    return value


def _cut(text: str) -> str:
    if len(text) <= MAX_RESULT_CHARS:
        return text
    half = MAX_RESULT_CHARS // 2
    return f"{text[:half]}\n[… {len(text) - MAX_RESULT_CHARS} characters left out …]\n{text[-half:]}"


def _os_words(error: OSError | ValueError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "a value was not usable"
