"""What is OpenAI's own: background, taking up, chaining, every end a response can have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.providers.base import ProviderError
from tests.orchestration.providers.hosts import AgentFakeHost, make_step, run
from tests.orchestration.providers.plays import FakeOpenAI, call, say
from tests.orchestration.providers.stages import Stage, stage
from tests.orchestration.providers.wire import Fault

pytestmark = pytest.mark.pure


@pytest.fixture
def on() -> Iterator[Stage]:
    with stage("openai") as ready:
        yield ready


def server(on: Stage) -> FakeOpenAI:
    assert isinstance(on.server, FakeOpenAI)
    return on.server


def test_a_turn_is_asked_in_the_background_and_streamed(on: Stage, tmp_path: Path) -> None:
    on.play(say("Hello"))
    run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    body = server(on).asked[0].body
    assert (body["background"], body["stream"], body["store"]) == (True, True, True)


def test_a_cut_stream_is_taken_up_after_the_last_event_that_was_seen(on: Stage, tmp_path: Path) -> None:
    on.play(say("All the words of the answer."))
    server(on).faults.append(Fault(keep=6))
    host = AgentFakeHost(on.settings)
    assert run(make_step(on, tmp_path), host).kind == "succeeded"
    again = server(on).asked[1]
    assert (again.path, again.query) == ("/v1/responses/resp_1", {"stream": "true", "starting_after": "5"})
    assert host.words() == "All the words of the answer."


def test_a_finished_response_is_fetched_where_its_stream_is_over(on: Stage, tmp_path: Path) -> None:
    on.play(say("All the words of the answer."))
    server(on).faults.append(Fault(keep=6))
    server(on).streams_again = False
    server(on).polls_left = 1
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert outcome.outputs["text"] == "All the words of the answer."
    assert len([asked for asked in server(on).asked if asked.method == "POST"]) == 1


def test_a_server_that_does_not_stream_is_polled(on: Stage, tmp_path: Path) -> None:
    on.play(say("Hello"))
    server(on).plain_json = True
    server(on).polls_left = 1
    assert run(make_step(on, tmp_path), AgentFakeHost(on.settings)).outputs["text"] == "Hello"


def test_a_response_that_is_gone_is_asked_for_anew_and_its_cost_is_unknown(on: Stage, tmp_path: Path) -> None:
    on.play(say("Hello"))
    server(on).faults.append(Fault(keep=3))
    server(on).forgets = True
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert outcome.kind == "succeeded"
    assert outcome.usage["known"] is False
    keys = [asked.headers["idempotency-key"] for asked in server(on).asked if asked.method == "POST"]
    assert len(set(keys)) == 2


def test_tool_turns_are_chained_and_only_the_news_is_sent(on: Stage, tmp_path: Path) -> None:
    on.play(call("list_files", {}), say("Done."))
    run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    body = server(on).asked[1].body
    assert body["previous_response_id"] == "resp_1"
    assert [item["type"] for item in body["input"]] == ["function_call_output"]


def test_a_chain_that_the_server_forgot_is_replaced_by_the_whole_transcript(on: Stage, tmp_path: Path) -> None:
    on.play(call("list_files", {}), say("Done."))
    host = AgentFakeHost(on.settings)
    forget = server(on)
    host.dies = lambda what, data: forget.responses.pop("resp_1", None) if what == "tool_call.finished" else None  # type: ignore[assignment]
    keep = forget._number
    forget._number = lambda body: 1 if len(body["input"]) > 1 else keep(body)  # type: ignore[method-assign]
    assert run(make_step(on, tmp_path), host).kind == "succeeded"
    last = forget.asked[-1].body
    assert "previous_response_id" not in last
    assert [item.get("type") for item in last["input"]] == [None, "function_call", "function_call_output"]


def test_a_server_without_background_is_asked_in_the_foreground(on: Stage, tmp_path: Path) -> None:
    on.play(call("list_files", {}), say("Done."))
    server(on).background = False
    host = AgentFakeHost(on.settings)
    assert run(make_step(on, tmp_path), host).kind == "succeeded"
    assert "foreground" in host.told("agent.notice")[0]["message"]
    assert ["background" in asked.body for asked in server(on).asked] == [True, False, False]


def test_the_foreground_sends_the_whole_transcript(tmp_path: Path) -> None:
    with stage("openai-foreground") as on:
        on.play(call("list_files", {}), say("Done."))
        run(make_step(on, tmp_path), AgentFakeHost(on.settings))
        body = server(on).asked[1].body
    assert "background" not in body
    assert "previous_response_id" not in body
    assert [item.get("type") for item in body["input"]] == [None, "function_call", "function_call_output"]


@pytest.mark.parametrize(
    ("ends", "reason", "words"),
    [
        ("max_output_tokens", "provider", "cut at the output limit"),
        ("content_filter", "provider", "content filter"),
        ("max_messages", "provider", "max_messages"),
        ("cancelled", "provider", "canceled at the provider"),
        ("invalid_prompt", "provider", "It went wrong at the provider."),
        ("refusal", "provider", "refused to answer. I will not."),
    ],
)
def test_every_other_end_is_a_failure_with_a_sentence(
    on: Stage, tmp_path: Path, ends: str, reason: str, words: str
) -> None:
    on.play(say("I will not.", ends=ends))
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert (outcome.kind, outcome.reason) == ("failed", reason)
    assert words in outcome.error


def test_calls_of_an_incomplete_response_are_not_made(on: Stage, tmp_path: Path) -> None:
    on.play(replace(call("write_file", {"path": "x", "content": "y"}), ends="max_output_tokens"))
    step = make_step(on, tmp_path)
    assert run(step, AgentFakeHost(on.settings)).kind == "failed"
    assert list(step.workspace.iterdir()) == []


def test_a_response_that_failed_at_the_provider_is_asked_for_anew_a_few_times(on: Stage, tmp_path: Path) -> None:
    on.play(say("", ends="server_error"))
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert (outcome.kind, outcome.reason) == ("failed", "provider")
    posts = [asked for asked in server(on).asked if asked.method == "POST"]
    assert len({asked.headers["idempotency-key"] for asked in posts}) == len(posts) == 3


def test_silence_in_the_background_is_no_fault_while_the_provider_works(on: Stage, tmp_path: Path) -> None:
    on.config = replace(on.config, read_timeout=0.3)
    on.play(say("All the words of the answer."))
    server(on).faults.append(Fault(keep=4, hold=True))
    server(on).polls_left = 1
    host = AgentFakeHost(on.settings)
    assert run(make_step(on, tmp_path), host).outputs["text"] == "All the words of the answer."
    assert host.told("agent.retry") == []


def test_a_stream_that_stays_silent_though_the_provider_is_done_is_taken_up_again(on: Stage, tmp_path: Path) -> None:
    on.play(say("All the words of the answer."))
    server(on).faults.append(Fault(keep=4, hold=True))
    host = AgentFakeHost(on.settings)
    orders = iter(["none", "none", "none", "look"])
    host.control = lambda: next(orders, "none")  # type: ignore[method-assign]
    assert run(make_step(on, tmp_path), host).outputs["text"] == "All the words of the answer."
    assert [asked.method for asked in server(on).asked] == ["POST", "GET"]
    assert "its stream did not say so" in host.told("agent.retry")[0]["reason"]


def test_events_that_come_twice_are_counted_once(on: Stage) -> None:
    on.play(say("Once."))
    provider = on.provider()
    handle = provider.start(on.request())
    events = server(on).streams["resp_1"]
    server(on).streams["resp_2"] = [event for event in events for _ in range(2)]
    handle2 = {**handle, "response_id": "resp_2"}
    server(on).responses["resp_2"] = {**server(on).responses["resp_1"], "id": "resp_2"}
    events[-1]["response"] = {**events[-1]["response"], "id": "resp_2"}
    words = "".join(event.text for event in provider.events(handle2) if event.kind == "text")
    assert words == "Once."


def test_the_status_of_a_turn_can_be_asked_by_anybody_who_has_the_handle(on: Stage) -> None:
    on.play(say("Hello"))
    handle = on.provider().start(on.request())
    server(on).polls_left = 1
    assert [on.provider().status(handle) for _ in range(2)] == ["in_progress", "completed"]
    server(on).forgets = True
    assert on.provider().status(handle) == "unknown"


def test_no_model_and_no_key_are_said_before_anything_is_asked(on: Stage) -> None:
    config = replace(on.config, base_url="https://api.openai.com/v1", api_key="", model="")
    problems = type(on.provider())(config).validate_config({"prompt": "x"})
    assert len(problems) == 2


def test_a_response_that_names_another_one_at_its_end_is_garbage(on: Stage) -> None:
    on.play(say("Hello"))
    provider = on.provider()
    first = provider.start(on.request())
    list(provider.events(first))
    server(on).streams["resp_9"] = server(on).streams["resp_1"]
    server(on).responses["resp_9"] = server(on).responses["resp_1"]
    with pytest.raises(ProviderError, match="another one"):
        list(provider.events(json.loads(json.dumps({**first, "response_id": "resp_9"}))))
