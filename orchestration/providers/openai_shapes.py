"""The Responses API as data: what is sent for a turn, and what a finished response means. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .base import Entry, ToolRequest, ToolSpec, TurnRequest, TurnResult, Usage
from .faults import NAMES, clean
from .transcript import user_text

ACTIVE = ("queued", "in_progress")
TERMINAL = ("response.completed", "response.failed", "response.incomplete", "response.cancelled")
INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
KEPT = ("service_tier", "conversation", "truncation", "incomplete_details")


def arguments(request: TurnRequest, *, chain: bool, background: bool) -> dict[str, Any]:
    """The keyword arguments of `responses.create` for this turn."""
    previous, entries = _since(request.transcript) if chain else ("", request.transcript)
    asked: dict[str, Any] = {"model": request.model, "instructions": request.system, "input": _input(entries)}
    if previous:
        asked["previous_response_id"] = previous
    if background:
        asked |= {"background": True, "store": True}
    if request.tools:
        asked["tools"] = [_function(tool) for tool in request.tools]
    if request.max_output_tokens:
        asked["max_output_tokens"] = request.max_output_tokens
    if request.output_schema is not None:
        form = {"type": "json_schema", "name": "answer", "schema": dict(request.output_schema), "strict": False}
        asked["text"] = {"format": form}
    return asked


def _function(tool: ToolSpec) -> dict[str, Any]:
    said = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", **said, "strict": False}


def turn_result(response: Mapping[str, Any]) -> TurnResult:
    """A finished response, read with care: it may come from any server."""
    items = [item for item in response.get("output") or () if isinstance(item, Mapping)]
    text, refusal = _words(items)
    calls = _calls(items) if response.get("status") == "completed" else ()
    finish, error, retryable = _finish(response, calls, refusal)
    told = {name: response[name] for name in KEPT if response.get(name) is not None}
    return TurnResult(
        finish=finish,
        text=text,
        calls=calls,
        raw=tuple(items),
        usage=usage_of(response.get("usage")),
        model=str(response.get("model") or ""),
        response_id=str(response.get("id") or ""),
        error=error,
        retryable=retryable,
        extension={**told, **({"error": error} if error else {})},
    )


def usage_of(usage: object) -> Usage:
    """Tokens as the provider counts them: cached ones are part of the input, reasoning is part of the output."""
    if not isinstance(usage, Mapping) or not {"input_tokens", "output_tokens"} & usage.keys():
        return Usage(known=False)
    of_input, of_output = _part(usage, "input_tokens_details"), _part(usage, "output_tokens_details")
    return Usage(
        input_tokens=_count(usage.get("input_tokens")),
        cached_input_tokens=_count(of_input.get("cached_tokens")),
        cache_write_tokens=_count(of_input.get("cache_write_tokens")),
        output_tokens=_count(usage.get("output_tokens")),
        reasoning_tokens=_count(of_output.get("reasoning_tokens")),
    )


def _since(transcript: Sequence[Entry]) -> tuple[str, Sequence[Entry]]:
    """The last response that the provider keeps, and what came after it."""
    for index in range(len(transcript) - 1, -1, -1):
        entry = transcript[index]
        if entry["role"] == "assistant" and entry.get("response_id") and entry.get("is_kept", True):
            return str(entry["response_id"]), transcript[index + 1 :]
    return "", transcript


def _input(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for entry in entries:
        if entry["role"] == "user":
            items.append({"role": "user", "content": user_text(entry)})
        elif entry["role"] == "assistant":
            items.extend(dict(item) for item in entry["raw"])
        else:
            items.extend(
                {"type": "function_call_output", "call_id": result["id"], "output": result["text"]}
                for result in entry["results"]
            )
    return items


def _words(items: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    parts = [
        part
        for item in items
        if item.get("type") == "message"
        for part in item.get("content") or ()
        if isinstance(part, Mapping)
    ]
    text = "".join(str(part.get("text") or "") for part in parts if part.get("type") == "output_text")
    refusal = " ".join(str(part.get("refusal") or "") for part in parts if part.get("type") == "refusal")
    return text, clean(refusal)


def _calls(items: Sequence[Mapping[str, Any]]) -> tuple[ToolRequest, ...]:
    return tuple(
        ToolRequest(str(item.get("call_id") or item.get("id") or ""), str(item.get("name")), _arguments(item))
        for item in items
        if item.get("type") == "function_call" and item.get("status") in (None, "completed")
    )


def _arguments(item: Mapping[str, Any]) -> str:
    said = item.get("arguments")
    return json.dumps(said) if isinstance(said, Mapping) else said if isinstance(said, str) else "null"


def _finish(response: Mapping[str, Any], calls: Sequence[ToolRequest], refusal: str) -> tuple[str, str, bool]:
    """finish, error, and whether asking anew may help."""
    status = response.get("status")
    if status == "completed":
        return ("refusal", refusal, False) if refusal and not calls else ("tool_calls" if calls else "stop", "", False)
    if status == "incomplete":
        reason = str((response.get("incomplete_details") or {}).get("reason") or "")
        return (
            INCOMPLETE.get(reason, "incomplete"),
            f"The provider says: {reason}." if reason not in INCOMPLETE else "",
            False,
        )
    if status == "cancelled":
        return "canceled", "", False
    error = response.get("error") or {}
    kind, retryable = NAMES.get(str(error.get("code") or "server_error"), ("invalid", False))
    return "failed", clean(str(error.get("message") or kind)), retryable


def _part(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = usage.get(name)
    return part if isinstance(part, Mapping) else {}


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
