"""What is Anthropic's own: the transcript as checkpoint, every stop reason, caching, how a stream is put together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.providers.anthropic_shapes import Gathering
from orchestration.providers.base import ProviderError
from tests.orchestration.providers.hosts import AgentFakeHost, make_step, run
from tests.orchestration.providers.plays import Turn, anthropic_events, call, say
from tests.orchestration.providers.stages import Stage, stage

pytestmark = pytest.mark.pure


@pytest.fixture
def on() -> Iterator[Stage]:
    with stage("anthropic") as ready:
        yield ready


def bodies(on: Stage) -> list[dict[str, Any]]:
    return [asked.body for asked in on.server.asked]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ("max_tokens", "cut at the output limit"),
        ("refusal", "refused to answer. Not this."),
        ("model_context_window_exceeded", "context window"),
        ("quantum_decoherence", "quantum_decoherence"),
    ],
)
def test_a_stop_that_is_no_end_is_a_failure_with_a_sentence(on: Stage, tmp_path: Path, ends: str, words: str) -> None:
    on.play(say("Half of", ends=ends))
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert (outcome.kind, outcome.reason) == ("failed", "provider")
    assert words in outcome.error


@pytest.mark.parametrize("ends", ["end_turn", "stop_sequence"])
def test_a_natural_end_is_a_success(on: Stage, tmp_path: Path, ends: str) -> None:
    on.play(say("All of it.", ends=ends))
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert outcome.kind == "succeeded"
    assert outcome.extension["stop_reason"] == ends


def test_a_paused_turn_is_given_back_as_it_is_and_goes_on(on: Stage, tmp_path: Path) -> None:
    on.play(say("First half,", ends="pause_turn"), say("second half."))
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert outcome.kind == "succeeded"
    assert [message["role"] for message in bodies(on)[1]["messages"]] == ["user", "assistant"]


def test_calls_of_a_turn_cut_by_its_limit_are_not_made(on: Stage, tmp_path: Path) -> None:
    on.play(Turn(calls=(("write_file", {"path": "x", "content": "y"}),), ends="max_tokens"))
    step = make_step(on, tmp_path)
    assert run(step, AgentFakeHost(on.settings)).kind == "failed"
    assert list(step.workspace.iterdir()) == []


def test_thinking_is_given_back_signed_and_tools_are_answered_by_their_ids(on: Stage, tmp_path: Path) -> None:
    on.play(Turn(text="I look.", calls=(("list_files", {}),), thinking="Hm."), say("Done."))
    run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    _, answered, results = bodies(on)[1]["messages"]
    thinking, text, used = answered["content"]
    assert (thinking["thinking"], thinking["signature"]) == ("Hm.", "c2ln")
    assert text["text"] == "I look."
    assert results["content"][0]["tool_use_id"] == used["id"]
    assert results["content"][0]["is_error"] is False


def test_a_long_conversation_is_marked_for_caching_and_a_short_one_is_not(on: Stage, tmp_path: Path) -> None:
    on.play(say("Done."))
    run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    run(make_step(on, tmp_path, definition={"prompt": "word " * 5000}), AgentFakeHost(on.settings))
    short, long = bodies(on)
    assert "cache_control" not in short["system"][0]
    assert long["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert long["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}


def test_the_limit_of_the_step_is_the_limit_of_the_answer(on: Stage, tmp_path: Path) -> None:
    on.play(say("Done."))
    run(make_step(on, tmp_path, definition={"max_output_tokens": 321}), AgentFakeHost(on.settings))
    assert bodies(on)[0]["max_tokens"] == 321


def wrong_orders() -> dict[str, list[dict[str, Any]]]:
    events = anthropic_events("msg_1", call("list_files", {"path": "a"}), {"model": "m"})
    start, _, opened, *deltas, closed, ended, stop = events
    return {
        "begins twice": [start, start],
        "begins without a name": [{"type": "message_start", "message": {}}],
        "never begins": [opened],
        "a block twice": [start, opened, opened],
        "a piece of nothing": [start, deltas[0]],
        "a piece too late": [start, opened, closed, deltas[0]],
        "closed twice": [start, opened, closed, closed],
        "no reason": [start, stop],
        "an open call": [start, opened, *deltas, ended, stop],
        "no place": [start, {**opened, "index": "0"}],
        "a place too far": [start, {**opened, "index": 10**9}],
        "an empty place": [start, {**opened, "content_block": None}],
    }


@pytest.mark.parametrize("kind", wrong_orders())
def test_a_stream_in_the_wrong_order_is_garbage(kind: str) -> None:
    gathering = Gathering()
    *first, last = wrong_orders()[kind]
    for event in first:
        gathering.take(event)
    with pytest.raises(ProviderError) as fault:
        gathering.take(last)
    assert fault.value.kind == "garbage"
    assert not gathering.complete


def test_counts_that_are_left_out_at_the_end_keep_their_first_value() -> None:
    gathering = Gathering()
    for event in anthropic_events("msg_1", say("Hi", usage=(100, 20)), {"model": "m"}):
        gathering.take(event)
    used = gathering.result().usage
    assert (used.input_tokens, used.cached_input_tokens, used.output_tokens, used.reasoning_tokens) == (100, 50, 20, 10)
