"""What every provider promises, asked of each in turn: the contract of providers.base."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from orchestration.providers import PROVIDERS
from orchestration.providers.base import Provider, ProviderError, ProviderEvent, TurnRequest, TurnResult
from orchestration.providers.transcript import assistant, tool_results
from tests.orchestration.providers.plays import call, say
from tests.orchestration.providers.stages import KEY, Stage, stage

pytestmark = pytest.mark.pure
ALL = ("openai", "openai-foreground", "anthropic", "simulated")


@pytest.fixture(params=ALL)
def on(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with stage(request.param) as ready:
        yield ready


def whole_turn(provider: Provider, request: TurnRequest) -> tuple[TurnResult, list[ProviderEvent]]:
    handle = provider.start(request)
    events = list(provider.events(handle))
    return provider.collect(handle), events


def test_every_registered_provider_is_on_the_stage() -> None:
    assert {name.split("-")[0] for name in ALL} == set(PROVIDERS)


def test_an_answer_is_streamed_and_collected_whole(on: Stage) -> None:
    on.play(say("All the words of the answer."))
    result, events = whole_turn(on.provider(), on.request())
    assert "All the words of the answer." in result.text
    assert "".join(event.text for event in events if event.kind == "text") == result.text
    assert (result.finish, result.calls) == ("stop", ())


def test_a_turn_is_named_before_it_is_read(on: Stage) -> None:
    on.play(say("Hello"))
    handle = on.provider().start(on.request())
    assert handle["provider"] == on.name
    assert handle["response_id"]
    assert json.loads(json.dumps(handle)) == handle


def test_tool_calls_come_whole_and_in_order(on: Stage) -> None:
    on.play(call("read_file", {"path": "ä/ö.md"}, ("read_file", {"path": "b.md"})))
    result, _ = whole_turn(on.provider(), on.request())
    assert result.finish == "tool_calls"
    assert [json.loads(made.arguments)["path"] for made in result.calls] == ["ä/ö.md", "b.md"]
    assert len({made.provider_call_id for made in result.calls}) == 2


def test_tokens_are_counted_alike(on: Stage) -> None:
    on.play(say("Hello", usage=(100, 20)))
    result, _ = whole_turn(on.provider(), on.request())
    assert (result.usage.input_tokens, result.usage.output_tokens) == (100, 20)
    assert result.usage.known
    if on.server is not None:
        assert (result.usage.cached_input_tokens, result.usage.reasoning_tokens) == (50, 10)


def test_results_of_tools_lead_to_the_next_turn(on: Stage) -> None:
    on.play(call("read_file", {"path": "a.md"}), say("It says hi."))
    provider = on.provider()
    first, _ = whole_turn(provider, on.request())
    given = tool_results([{"id": first.calls[0].provider_call_id, "text": "hi", "is_error": False}])
    second, _ = whole_turn(provider, on.request(transcript=(*on.request().transcript, assistant(first), given)))
    assert "It says hi." in second.text
    assert second.finish == "stop"


def test_thinking_is_told_apart_from_the_answer(on: Stage) -> None:
    on.play(say("Done", thinking="Let me see."))
    result, events = whole_turn(on.provider(), on.request())
    assert "Let me see." in "".join(event.text for event in events if event.kind == "thinking")
    assert "Let me see." not in result.text


def test_a_cut_stream_is_never_a_whole_answer(on: Stage) -> None:
    on.play(say("All the words of the answer."))
    on.cut_first()
    provider = on.provider()
    handle = provider.start(on.request())
    with pytest.raises(ProviderError) as fault:
        list(provider.events(handle))
    assert fault.value.retryable


def test_another_process_takes_the_turn_up_or_hears_that_it_is_lost(on: Stage) -> None:
    on.play(say("All the words of the answer."))
    first = on.provider()
    handle = json.loads(json.dumps(first.start(on.request())))
    seen = next(iter(first.events(handle)))
    second = on.provider()
    if not second.capabilities().resume:
        with pytest.raises(ProviderError) as fault:
            list(second.events(handle, seen.cursor))
        assert fault.value.kind == "lost"
        return
    rest = list(second.events(handle, seen.cursor))
    assert all(event.cursor > seen.cursor for event in rest)
    assert "All the words of the answer." in second.collect(handle).text


def test_a_turn_that_was_collected_once_is_there_for_a_second_process_or_lost(on: Stage) -> None:
    on.play(say("Hello"))
    provider = on.provider()
    handle = provider.start(on.request())
    list(provider.events(handle))
    first = provider.collect(handle)
    other = on.provider()
    if other.capabilities().resume:
        assert other.collect(handle).text == first.text
    else:
        with pytest.raises(ProviderError, match="gone"):
            other.collect(handle)


def test_a_blocked_reader_can_be_woken(on: Stage) -> None:
    on.play(say("Hello"))
    on.hang()
    provider = on.provider()
    handle = provider.start(on.request())
    faults: list[ProviderError] = []
    begun = threading.Event()

    def read() -> None:
        try:
            for _ in provider.events(handle):
                begun.set()
        except ProviderError as fault:
            faults.append(fault)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert begun.wait(10)
    provider.abort()
    reader.join(4)  # less than the read timeout, which would wake it as well
    assert not reader.is_alive()
    assert faults


def test_canceling_a_turn_that_is_over_is_no_fault(on: Stage) -> None:
    on.play(say("Hello"))
    provider = on.provider()
    handle = provider.start(on.request())
    list(provider.events(handle))
    provider.cancel(handle)


def test_the_status_is_one_of_the_known_words(on: Stage) -> None:
    on.play(say("Hello"))
    provider = on.provider()
    handle = provider.start(on.request())
    list(provider.events(handle))
    expected = "completed" if provider.capabilities().resume or on.name == "anthropic" else "unknown"
    assert provider.status(handle) == expected


def test_a_rate_limit_is_retryable_and_has_a_sentence(on: Stage) -> None:
    on.play(say("Hello"))
    on.fail_first(429, retry_after="7")
    provider = on.provider()
    with pytest.raises(ProviderError) as fault:
        list(provider.events(provider.start(on.request())))
    assert (fault.value.kind, fault.value.retryable, fault.value.status) == ("rate_limit", True, 429)
    assert fault.value.sentence.endswith((".", "no"))
    if on.server is not None:
        assert fault.value.retry_after == 7.0


def test_a_step_that_fits_has_no_problems(on: Stage) -> None:
    assert on.provider().validate_config({"prompt": "Do it.", "model": "some-model"}) == []


def test_the_key_is_in_no_word_that_can_be_shown(on: Stage) -> None:
    on.play(say("Hello"))
    provider = on.provider()
    handle = provider.start(on.request())
    assert KEY not in repr(on.config) + json.dumps(handle) + repr(on.settings)
    assert KEY not in on.config.masked_key


def test_the_connection_can_be_tested(on: Stage) -> None:
    assert on.provider().check() == []


def test_structured_output_is_asked_for(on: Stage) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    on.play(say('{"answer": "yes"}'))
    result, _ = whole_turn(on.provider(), on.request(output_schema=schema))
    assert json.loads(result.text) == {"answer": "yes"}
    if on.server is not None:
        body = on.server.asked[0].body
        told = body["text"]["format"] if on.name == "openai" else body["output_config"]["format"]
        assert told["schema"] == schema
