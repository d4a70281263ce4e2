"""Servers that speak the two protocols in their own way: what the SDKs' types allow, and what gateways get wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.executors.base import Outcome
from tests.orchestration.providers.hosts import AgentFakeHost, make_step, run
from tests.orchestration.providers.plays import (
    FakeOpenAI,
    Turn,
    anthropic_events,
    call,
    openai_events,
    openai_response,
    say,
)
from tests.orchestration.providers.stages import Stage, stage
from tests.orchestration.providers.wire import Asked, Fault

pytestmark = pytest.mark.pure
Events = list[dict[str, Any]]
BODY = {"model": "gpt-5.5", "background": True}
WORDS = "All the words of the answer."
ALL = say(WORDS)


@pytest.fixture
def openai() -> Iterator[Stage]:
    with stage("openai") as ready:
        yield ready


@pytest.fixture
def anthropic() -> Iterator[Stage]:
    with stage("anthropic") as ready:
        yield ready


def of_openai(turn: Turn = ALL) -> Events:
    return openai_events(openai_response("resp_1", turn, BODY), turn)


def of_anthropic(turn: Turn = ALL) -> Events:
    return anthropic_events("msg_1", turn, BODY)


def plain(events: Events, end: str = "\n") -> bytes:
    return "".join(f"data: {json.dumps(event)}{end}{end}" for event in events).encode()


def answer(on: Stage, folder: Path, *bodies: bytes, **step: Any) -> tuple[Outcome, AgentFakeHost]:
    on.play(say("Another answer."))
    assert on.server is not None
    on.server.faults.extend(Fault(raw=body) for body in bodies)
    host = AgentFakeHost(on.settings)
    return run(make_step(on, folder, **step), host), host


def last(events: Events, **changes: Any) -> Events:
    """The last event's response as another server would write it; None leaves a field out."""
    response = {**events[-1]["response"], **changes}
    kept = {name: value for name, value in response.items() if name not in changes or value is not None}
    return [*events[:-1], {**events[-1], "response": kept}]


# how a stream is written


def with_comments(events: Events) -> bytes:
    parts = [f": keep-alive\r\nid: {n}\r\nretry: 5\r\ndata: {json.dumps(e)}\r\n\r\n" for n, e in enumerate(events)]
    return ("\ufeff: hello\r\n\r\n" + ": ping\r\n\r\n".join(parts) + "data: [DONE]\r\n\r\n").encode()


def on_many_lines(events: Events) -> bytes:
    written = [json.dumps(event, indent=1).replace("\n", "\ndata: ") for event in events]
    return "".join(f"data: {text}\n\n" for text in written).encode()


def named_outside(events: Events) -> bytes:
    """The type stands beside the data, not in it."""
    return "".join(
        f"event: {event['type']}\ndata:{json.dumps({k: v for k, v in event.items() if k != 'type'})}\n\n"
        for event in events
    ).encode()


WRITERS: list[Callable[[Events], bytes]] = [with_comments, on_many_lines, named_outside]


@pytest.mark.parametrize("write", WRITERS)
def test_a_stream_may_be_written_in_every_way_that_the_format_allows(
    openai: Stage, anthropic: Stage, tmp_path: Path, write: Callable[[Events], bytes]
) -> None:
    for on, events in ((openai, of_openai()), (anthropic, of_anthropic())):
        outcome, host = answer(on, make(tmp_path / on.name), write(events))
        assert (outcome.error, outcome.outputs.get("text"), host.words()) == ("", WORDS, WORDS)


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


# what is left out


@pytest.mark.parametrize(
    "lacking",
    [
        {"status": None},
        {"id": None},
        {"output": []},
        {"usage": None},
        {"usage": {}},
        {"usage": {"input_tokens": 5, "input_tokens_details": [], "output_tokens": 1, "output_tokens_details": None}},
        {"object": None, "created_at": None, "error": None, "incomplete_details": None, "parallel_tool_calls": None},
    ],
)
def test_a_whole_answer_may_lack_what_can_be_known_otherwise(
    openai: Stage, tmp_path: Path, lacking: dict[str, Any]
) -> None:
    outcome, _ = answer(openai, tmp_path, plain(last(of_openai(), **lacking)))
    assert (outcome.error, outcome.outputs.get("text")) == ("", WORDS)
    has_counts = bool((lacking.get("usage") or {}) if "usage" in lacking else True)
    assert outcome.usage["known"] is has_counts
    assert (outcome.usage["cost_usd"] is None) is not has_counts


def test_calls_are_read_from_the_stream_where_the_whole_answer_has_no_output(openai: Stage, tmp_path: Path) -> None:
    first = last(of_openai(call("list_files", {})), output=[])
    outcome, host = answer(openai, tmp_path, plain(first))
    assert outcome.kind == "succeeded"
    assert [event["name"] for event in host.told("tool_call.finished")] == ["list_files"]


def test_arguments_may_come_as_an_object(openai: Stage, tmp_path: Path) -> None:
    events = of_openai(call("write_file", {"path": "x", "content": "y"}))
    item = {**events[-1]["response"]["output"][0], "arguments": {"path": "x", "content": "y"}}
    step = make_step(openai, tmp_path)
    openai.play(say("Done."))
    openai.server.faults.append(Fault(raw=plain(last(events, output=[item]))))  # type: ignore[union-attr]
    assert run(step, AgentFakeHost(openai.settings)).kind == "succeeded"
    assert (step.workspace / "x").read_text() == "y"


def test_words_that_come_before_the_answer_is_named_are_not_lost(openai: Stage, tmp_path: Path) -> None:
    created, *rest = of_openai()
    early = [event for event in rest if event["type"].endswith("output_text.delta")][:2]
    late = [event for event in rest if event not in early]
    for event in (*early, created, *late):
        event.pop("sequence_number")
    outcome, host = answer(openai, tmp_path, plain([{"type": "keepalive"}, *early, created, *late]))
    assert (outcome.outputs["text"], host.words()) == (WORDS, WORDS)


def test_counts_of_the_beginning_hold_where_the_end_says_zero(anthropic: Stage, tmp_path: Path) -> None:
    events = of_anthropic(say(WORDS, usage=(100, 20)))
    events[-2]["usage"] |= {"input_tokens": 0, "cache_read_input_tokens": 0}
    outcome, _ = answer(anthropic, tmp_path, plain(events))
    assert (outcome.usage["input_tokens"], outcome.usage["cached_input_tokens"]) == (100, 50)


def test_no_counts_at_all_are_unknown_and_not_zero(anthropic: Stage, tmp_path: Path) -> None:
    events = of_anthropic()
    del events[0]["message"]["usage"], events[-2]["usage"]
    outcome, _ = answer(anthropic, tmp_path, plain(events))
    assert (outcome.error, outcome.usage["known"], outcome.usage["cost_usd"]) == ("", False, None)


# other ways to say the same


def test_a_message_that_is_not_streamed_is_taken_whole(anthropic: Stage, tmp_path: Path) -> None:
    usage = {"input_tokens": 3, "output_tokens": 2}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use"}
    block = {"type": "tool_use", "id": "toolu_1", "name": "write_file", "input": {"path": "x", "content": "y"}}
    whole = {**message, "content": [{"type": "text", "text": "I write."}, block], "usage": usage}
    anthropic.play(say("Not used."), say("Done."))
    anthropic.server.faults.append(Fault(status=200, body=whole))  # type: ignore[union-attr]
    host, step = AgentFakeHost(anthropic.settings), make_step(anthropic, tmp_path)
    outcome = run(step, host)
    assert (outcome.error, (step.workspace / "x").read_text()) == ("", "y")
    assert "I write." in host.words()


def test_a_tool_call_is_one_also_where_the_turn_is_said_to_have_ended(anthropic: Stage, tmp_path: Path) -> None:
    anthropic.play(Turn(calls=(("list_files", {}),), ends="end_turn"), say("Done."))
    host = AgentFakeHost(anthropic.settings)
    assert run(make_step(anthropic, tmp_path), host).kind == "succeeded"
    assert len(host.told("tool_call.finished")) == 1


def test_a_server_that_leaves_background_out_of_its_mind_is_sent_the_whole_transcript(
    openai: Stage, tmp_path: Path
) -> None:
    """It takes the parameter, streams in the foreground and keeps nothing: a chain would lose the conversation."""
    openai.play(call("list_files", {}), say("Done."))
    fake = server(openai)
    whole = fake._create

    def forgetful(asked: Asked) -> Any:
        reply = whole(Asked(asked.method, asked.path, asked.query, asked.headers, {**asked.body, "background": False}))
        fake.responses = {name: {**response, "store": False} for name, response in fake.responses.items()}
        return reply

    fake._create = forgetful  # type: ignore[method-assign]
    host = AgentFakeHost(openai.settings)
    assert run(make_step(openai, tmp_path), host).kind == "succeeded"
    second = fake.asked[-1].body
    assert "previous_response_id" not in second
    assert [item.get("type") for item in second["input"]] == [None, "function_call", "function_call_output"]


@pytest.mark.parametrize(
    "error",
    [
        {"message": "Not found.", "type": "invalid_request_error", "code": "previous_response_not_found"},
        {"message": "No such object.", "type": "invalid_request_error", "param": "previous_response_id"},
        "previous_response_id is not supported",
    ],
)
def test_a_lost_chain_is_known_by_code_parameter_or_words(openai: Stage, tmp_path: Path, error: Any) -> None:
    openai.play(call("list_files", {}), say("Done."))
    fake = server(openai)
    keep = fake._create

    def no_chain(asked: Asked) -> Any:
        return (400, {"error": error}) if "previous_response_id" in asked.body else keep(asked)

    fake._create = no_chain  # type: ignore[method-assign]
    assert run(make_step(openai, tmp_path), AgentFakeHost(openai.settings)).error == ""
    assert "previous_response_id" not in fake.asked[-1].body


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_answer_that_cannot_be_retrieved_is_asked_for_anew(openai: Stage, tmp_path: Path, status: int) -> None:
    openai.play(say(WORDS))
    fake = server(openai)
    fake._retrieve = lambda name, asked: (status, {"detail": "Method Not Allowed"})  # type: ignore[method-assign]
    fake.faults.append(Fault(keep=4))
    outcome = run(make_step(openai, tmp_path), AgentFakeHost(openai.settings))
    assert (outcome.error, outcome.outputs.get("text"), outcome.usage["known"]) == ("", WORDS, False)


def test_one_id_for_every_answer_is_no_trouble(openai: Stage, tmp_path: Path) -> None:
    first, second = of_openai(call("list_files", {})), of_openai(say(WORDS))
    outcome, _ = answer(openai, tmp_path, plain(first), plain(second))
    assert (outcome.error, outcome.outputs.get("text")) == ("", WORDS)


# errors


@pytest.mark.parametrize("error", [{"error": "the model is loading"}, {"error": {"message": "the model is loading"}}])
def test_an_error_in_the_middle_is_one_whatever_its_shape(
    openai: Stage, anthropic: Stage, tmp_path: Path, error: Any
) -> None:
    for on, events in ((openai, of_openai()), (anthropic, of_anthropic())):
        broken = plain([*events[:4], error])
        on.server.forgets = True  # type: ignore[union-attr]
        outcome, host = answer(on, make(tmp_path / on.name), broken)
        assert outcome.outputs["text"] == "Another answer."
        assert "the model is loading" in host.told("agent.retry")[0]["reason"]


@pytest.mark.parametrize("body", [{"error": "model 'x' not found"}, {"detail": "model 'x' not found"}])
def test_the_words_of_an_error_are_told_whatever_its_shape(
    openai: Stage, anthropic: Stage, tmp_path: Path, body: Any
) -> None:
    for on in (openai, anthropic):
        on.play(say("x"))
        on.server.faults.append(Fault(status=404, body=body))  # type: ignore[union-attr]
        outcome = run(make_step(on, make(tmp_path / on.name)), AgentFakeHost(on.settings))
        assert outcome.kind == "failed"
        assert "model 'x' not found" in outcome.error


def server(on: Stage) -> FakeOpenAI:
    assert isinstance(on.server, FakeOpenAI)
    return on.server
