"""The Messages API as data: what is sent for a turn, and how a streamed answer is put together. Pure.

Strict where a mistake would make something up (order, whole tool calls), lenient to what it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .base import Entry, ProviderError, ToolRequest, TurnRequest, TurnResult, Usage
from .faults import clean
from .transcript import estimate_tokens, user_text

DEFAULT_MAX_TOKENS = 16_384
CACHE_FROM_TOKENS = 2_000  # below, a cache entry costs more than it saves
FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_window",
}
DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def arguments(request: TurnRequest) -> dict[str, Any]:
    """The keyword arguments of `messages.create` for this turn."""
    messages = [message for entry in request.transcript if (message := _message(entry))["content"]]
    system: dict[str, Any] = {"type": "text", "text": request.system}
    if estimate_tokens([request.system, messages]) >= CACHE_FROM_TOKENS:
        system["cache_control"] = {"type": "ephemeral"}
        _mark(messages[-1])
    asked: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_output_tokens or DEFAULT_MAX_TOKENS,
        "messages": messages,
    }
    if request.system:
        asked["system"] = [system]
    if request.tools:
        asked["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
            for tool in request.tools
        ]
    if request.output_schema is not None:
        asked["output_config"] = {"format": {"type": "json_schema", "schema": dict(request.output_schema)}}
    return asked


def as_events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The stream that a message would have been, from a server that does not stream."""
    blocks = message.get("content")
    if not isinstance(blocks, list):
        raise _garbage("an answer without content")
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_stop"}


class Gathering:
    """One streamed message, event by event. `complete` only after the provider said so itself."""

    def __init__(self) -> None:
        self.complete = False
        self.message_id = ""
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._partial: dict[int, str] = {}
        self._closed: set[int] = set()
        self._usage: dict[str, Any] = {}

    def take(self, event: Mapping[str, Any]) -> tuple[str, str]:
        """Take one event in; what people may see of it as (kind, text), or two empty strings."""
        kind = event.get("type")
        if kind == "message_start":
            self._begin(event.get("message"))
        elif kind in (
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ):
            if not self.message_id:
                raise _garbage("an answer that never began")
            return self._go_on(str(kind), event)
        return "", ""

    def result(self) -> TurnResult:
        reason = str(self._message.get("stop_reason"))
        finish = FINISHES.get(reason, reason)
        if finish == "stop" and self._calls():
            finish = "tool_calls"
        details = self._message.get("stop_details")
        said = clean(str(details.get("explanation") or "")) if isinstance(details, Mapping) else ""
        blocks = [self._blocks[index] for index in sorted(self._blocks)]
        return TurnResult(
            finish=finish,
            text="".join(str(block.get("text") or "") for block in blocks if block.get("type") == "text"),
            calls=self._calls() if finish == "tool_calls" else (),
            raw=tuple(block for block in blocks if _worth_keeping(block)),
            usage=usage_of(self._usage),
            model=str(self._message.get("model") or ""),
            response_id=self.message_id,
            error=said,
            extension=self._extension(reason, said),
        )

    def _begin(self, message: object) -> None:
        if self.message_id or not isinstance(message, Mapping) or not message.get("id"):
            raise _garbage("a second or nameless beginning")
        self.message_id = str(message["id"])
        self._message = dict(message)
        self._count(message.get("usage"))

    def _go_on(self, kind: str, event: Mapping[str, Any]) -> tuple[str, str]:
        if kind == "message_stop":
            self._end()
        elif kind == "message_delta":
            delta = event.get("delta")
            self._message |= dict(delta) if isinstance(delta, Mapping) else {}
            self._count(event.get("usage"))
        elif kind == "content_block_start":
            return self._open_block(_index(event), event.get("content_block"))
        elif kind == "content_block_delta":
            return self._extend(_index(event), event.get("delta"))
        else:
            self._close_block(_index(event))
        return "", ""

    def _open_block(self, index: int, block: object) -> tuple[str, str]:
        if index in self._blocks or not isinstance(block, Mapping):
            raise _garbage("a block that began twice")
        self._blocks[index] = dict(block)
        if block.get("type") == "tool_use":
            return "tool", str(block.get("name") or "")
        return ("text", str(block["text"])) if block.get("type") == "text" and block.get("text") else ("", "")

    def _extend(self, index: int, delta: object) -> tuple[str, str]:
        if index not in self._blocks or index in self._closed or not isinstance(delta, Mapping):
            raise _garbage("a piece of a block that is not open")
        kind = str(delta.get("type"))
        if kind == "input_json_delta":
            self._partial[index] = self._partial.get(index, "") + str(delta.get("partial_json") or "")
            return "", ""
        if kind not in DELTAS:
            return "", ""
        part, piece = DELTAS[kind], str(delta.get(DELTAS[kind]) or "")
        self._blocks[index][part] = str(self._blocks[index].get(part) or "") + piece
        return (part, piece) if part != "signature" else ("", "")

    def _close_block(self, index: int) -> None:
        if index not in self._blocks or index in self._closed:
            raise _garbage("the end of a block that is not open")
        self._closed.add(index)
        if index in self._partial:
            self._blocks[index]["input"] = _object(self._partial[index]) or {}

    def _end(self) -> None:
        if not self._message.get("stop_reason"):
            raise _garbage("an end without a reason")
        if any(block.get("type") == "tool_use" and index not in self._closed for index, block in self._blocks.items()):
            raise _garbage("half a tool call")
        self.complete = True

    def _calls(self) -> tuple[ToolRequest, ...]:
        return tuple(
            ToolRequest(
                str(block.get("id") or ""),
                str(block.get("name") or ""),
                self._partial.get(index) or json.dumps(block.get("input") or {}),
            )
            for index, block in sorted(self._blocks.items())
            if block.get("type") == "tool_use"
        )

    def _count(self, usage: object) -> None:
        """Counts are running totals; one that is left out, or starts again at zero, keeps its last value."""
        if isinstance(usage, Mapping):
            told = {name: value for name, value in usage.items() if value is not None}
            self._usage |= {name: value for name, value in told.items() if value or not self._usage.get(name)}

    def _extension(self, reason: str, said: str) -> dict[str, Any]:
        told = {"stop_reason": reason, "stop_sequence": self._message.get("stop_sequence"), "error": said}
        tier = {"service_tier": self._usage.get("service_tier")}
        return {name: value for name, value in {**told, **tier}.items() if value}


def usage_of(usage: Mapping[str, Any]) -> Usage:
    """The provider counts cached input apart; ours is the whole input, the cached part named beside it."""
    if "input_tokens" not in usage and "output_tokens" not in usage:
        return Usage(known=False)
    read, write = _number(usage.get("cache_read_input_tokens")), _number(usage.get("cache_creation_input_tokens"))
    details = usage.get("output_tokens_details")
    thinking = details.get("thinking_tokens") if isinstance(details, Mapping) else 0
    return Usage(
        input_tokens=_number(usage.get("input_tokens")) + read + write,
        cached_input_tokens=read,
        cache_write_tokens=write,
        output_tokens=_number(usage.get("output_tokens")),
        reasoning_tokens=_number(thinking),
    )


def _message(entry: Entry) -> dict[str, Any]:
    if entry["role"] == "user":
        return {"role": "user", "content": [{"type": "text", "text": user_text(entry)}]}
    if entry["role"] == "assistant":
        return {"role": "assistant", "content": [dict(block) for block in entry["raw"]]}
    return {"role": "user", "content": [_tool_result(result) for result in entry["results"]]}


def _tool_result(result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": result["id"],
        "content": result["text"] or "(no output)",
        "is_error": bool(result["is_error"]),
    }


def _mark(message: dict[str, Any]) -> None:
    """Everything up to here may be cached; thinking blocks can't carry the mark."""
    block = message["content"][-1]
    if block.get("type") in ("text", "tool_result"):
        block["cache_control"] = {"type": "ephemeral"}


def _worth_keeping(block: Mapping[str, Any]) -> bool:
    """The provider refuses empty texts when they are given back."""
    return block.get("type") != "text" or bool(block.get("text"))


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _index(event: Mapping[str, Any]) -> int:
    index = event.get("index")
    if not isinstance(index, int) or not 0 <= index < 10_000:
        raise _garbage("a block without a place")
    return index


def _number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _garbage(what: str) -> ProviderError:
    return ProviderError("garbage", f"The provider's stream held {what}.", retryable=True)
