"""What a model is to say in a test: turns as values, and the two providers that play them over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.orchestration.providers.wire import Asked, FakeProvider, Stream


@dataclass(frozen=True)
class Turn:
    text: str = ""
    calls: tuple[tuple[str, Any], ...] = ()  # name, arguments (a dict, or the raw text)
    ends: str = ""  # the provider's own word for how it ended
    thinking: str = ""
    usage: tuple[int, int] = (100, 20)


def say(text: str, **facts: Any) -> Turn:
    return Turn(text=text, **facts)


def call(name: str, arguments: Any, *more: tuple[str, Any]) -> Turn:
    return Turn(calls=((name, arguments), *more))


def raw(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


class FakeOpenAI(FakeProvider):
    """The Responses API: background with a stored stream, taking up, retrieving, canceling, chaining."""

    prefix = "/v1"

    def __init__(self, turns: Sequence[Turn] = ()) -> None:
        super().__init__()
        self.turns = list(turns)
        self.responses: dict[str, dict[str, Any]] = {}
        self.streams: dict[str, list[dict[str, Any]]] = {}
        self.canceled: list[str] = []
        self.forgets = False  # responses can't be retrieved
        self.streams_again = True  # GET with stream=true works
        self.polls_left = 0  # how often a retrieved response is still in progress
        self.background = True
        self.plain_json = False  # answers without a stream

    def may_fail(self, asked: Asked) -> bool:
        return asked.path == "/v1/responses" or "stream" in asked.query

    def reply(self, asked: Asked) -> Stream | tuple[int, Any]:
        parts = asked.path.removeprefix("/v1/").split("/")
        if parts == ["responses"]:
            return self._create(asked)
        if parts[0] == "responses" and parts[-1] == "cancel":
            self.canceled.append(parts[1])
            return 200, {**self.responses[parts[1]], "status": "cancelled"}
        if parts[0] == "responses":
            return self._retrieve(parts[1], asked)
        return 200, {"object": "list", "data": []}

    def _create(self, asked: Asked) -> Stream | tuple[int, Any]:
        body = asked.body
        if body.get("background") and not self.background:
            message = "Unsupported parameter: 'background'"
            return 400, {"error": {"message": message, "type": "invalid_request_error", "param": "background"}}
        previous = body.get("previous_response_id")
        if previous and previous not in self.responses:
            message = f"Previous response with id '{previous}' not found."
            return 400, {"error": {"message": message, "code": "previous_response_not_found"}}
        name = f"resp_{len(self.responses) + 1}"
        number = self._number(body)
        turn = self.turns[min(number, len(self.turns) - 1)]
        response = {**openai_response(name, turn, body), "metadata": {"turn": str(number)}}
        self.responses[name], self.streams[name] = response, openai_events(response, turn)
        if self.plain_json:
            return 200, {**response, "status": "queued", "output": []} if body.get("background") else response
        return Stream(self.streams[name], named=True)

    def _number(self, body: dict[str, Any]) -> int:
        """Which turn is asked for: by the response that went before, named or given back whole."""
        names = [body["previous_response_id"]] if body.get("previous_response_id") else []
        given = [item["id"].split("_")[1] for item in body["input"] if item.get("id")]
        before = [self.responses[name] for name in names + [f"resp_{number}" for number in given]]
        return max((int(response["metadata"]["turn"]) + 1 for response in before), default=0)

    def _retrieve(self, name: str, asked: Asked) -> Stream | tuple[int, Any]:
        if name not in self.responses or self.forgets:
            return 404, {"error": {"message": f"Response with id '{name}' not found.", "code": None}}
        if "stream" in asked.query:
            if not self.streams_again:
                return 400, {"error": {"message": "This response can no longer be streamed."}}
            after = int(asked.query.get("starting_after", -1))
            return Stream([event for event in self.streams[name] if event["sequence_number"] > after], named=True)
        if self.polls_left:
            self.polls_left -= 1
            return 200, {**self.responses[name], "status": "in_progress", "output": []}
        return 200, self.responses[name]


def openai_response(name: str, turn: Turn, body: dict[str, Any]) -> dict[str, Any]:
    number = name.removeprefix("resp_")
    output: list[dict[str, Any]] = []
    if turn.text and turn.ends != "refusal":
        part = {"type": "output_text", "text": turn.text, "annotations": []}
        output.append(
            {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": [part]}
        )
    if turn.ends == "refusal":
        part = {"type": "refusal", "refusal": turn.text}
        output.append(
            {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": [part]}
        )
    for index, (tool, arguments) in enumerate(turn.calls):
        item = {
            "type": "function_call",
            "id": f"fc_{number}_{index}",
            "call_id": f"call_{number}_{index}",
            "name": tool,
        }
        output.append({**item, "arguments": raw(arguments), "status": "completed"})
    response = {
        "id": name,
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": body["model"],
        "output": output,
        "background": bool(body.get("background")),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": openai_usage(turn),
    }
    return {**response, **openai_end(turn)}


def openai_usage(turn: Turn) -> dict[str, Any]:
    taken, given = turn.usage
    return {
        "input_tokens": taken,
        "input_tokens_details": {"cached_tokens": taken // 2, "cache_write_tokens": 0},
        "output_tokens": given,
        "output_tokens_details": {"reasoning_tokens": given // 2},
        "total_tokens": taken + given,
    }


def openai_end(turn: Turn) -> dict[str, Any]:
    if turn.ends in ("", "refusal"):
        return {}
    if turn.ends in ("max_output_tokens", "content_filter", "max_messages"):
        return {"status": "incomplete", "incomplete_details": {"reason": turn.ends}}
    if turn.ends == "cancelled":
        return {"status": "cancelled"}
    return {"status": "failed", "error": {"code": turn.ends, "message": "It went wrong at the provider."}}


def openai_events(response: dict[str, Any], turn: Turn) -> list[dict[str, Any]]:
    begun = {**response, "status": "queued", "output": [], "usage": None, "error": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    events.append({"type": "response.in_progress", "response": {**begun, "status": "in_progress"}})
    if turn.thinking:
        events.append({"type": "response.reasoning_summary_text.delta", "delta": turn.thinking, "item_id": "rs_1"})
    for index, item in enumerate(response["output"]):
        events.append(
            {"type": "response.output_item.added", "output_index": index, "item": {**item, "status": "in_progress"}}
        )
        events.extend(openai_deltas(item, index))
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    last = "completed" if response["status"] == "completed" else response["status"]
    events.append({"type": f"response.{last}", "response": response})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def openai_deltas(item: dict[str, Any], index: int) -> list[dict[str, Any]]:
    if item["type"] == "function_call":
        kind, text = "response.function_call_arguments.delta", item["arguments"]
    else:
        part = item["content"][0]
        kind, text = (
            ("response.output_text.delta", part["text"])
            if "text" in part
            else ("response.refusal.delta", part["refusal"])
        )
    return [{"type": kind, "delta": piece, "item_id": item["id"], "output_index": index} for piece in in_pieces(text)]


class FakeAnthropic(FakeProvider):
    """The Messages API, streamed."""

    def __init__(self, turns: Sequence[Turn] = ()) -> None:
        super().__init__()
        self.turns = list(turns)

    def may_fail(self, asked: Asked) -> bool:
        return asked.path == "/v1/messages"

    def reply(self, asked: Asked) -> Stream | tuple[int, Any]:
        if asked.path != "/v1/messages":
            return 200, {"data": [], "has_more": False}
        number = sum(1 for message in asked.body["messages"] if message["role"] == "assistant")
        turn = self.turns[min(number, len(self.turns) - 1)]
        return Stream(anthropic_events(f"msg_{len(self.asked)}", turn, asked.body), named=True)


def anthropic_events(name: str, turn: Turn, body: dict[str, Any]) -> list[dict[str, Any]]:
    taken, given = turn.usage
    usage = {"input_tokens": taken - taken // 2, "cache_read_input_tokens": taken // 2, "output_tokens": 1}
    message = {"id": name, "type": "message", "role": "assistant", "model": body["model"], "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}, {"type": "ping"}]
    for index, (block, deltas) in enumerate(anthropic_blocks(name, turn)):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events.extend({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        events.append({"type": "content_block_stop", "index": index})
    reason = turn.ends or ("tool_use" if turn.calls else "end_turn")
    details = {"type": "refusal", "category": None, "explanation": "Not this."} if reason == "refusal" else None
    delta = {"stop_reason": reason, "stop_sequence": None, "stop_details": details}
    spent = {"output_tokens": given, "output_tokens_details": {"thinking_tokens": given // 2}}
    return [*events, {"type": "message_delta", "delta": delta, "usage": spent}, {"type": "message_stop"}]


def anthropic_blocks(name: str, turn: Turn) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if turn.thinking:
        signed = [
            {"type": "thinking_delta", "thinking": turn.thinking},
            {"type": "signature_delta", "signature": "c2ln"},
        ]
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, signed))
    if turn.text:
        deltas = [{"type": "text_delta", "text": piece} for piece in in_pieces(turn.text)]
        blocks.append(({"type": "text", "text": ""}, deltas))
    for index, (tool, arguments) in enumerate(turn.calls):
        block = {"type": "tool_use", "id": f"toolu_{name}_{index}", "name": tool, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in in_pieces(raw(arguments))]
        blocks.append((block, deltas))
    return blocks


def in_pieces(text: str, size: int = 7) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
