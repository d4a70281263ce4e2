"""What goes wrong at a provider: never a success on a cut stream, never half a tool call, always a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.providers.base import ProviderError
from orchestration.providers.retry import RetryPolicy
from tests.orchestration.providers.hosts import EAGER, AgentFakeHost, make_step, run
from tests.orchestration.providers.plays import call, openai_events, openai_response, say
from tests.orchestration.providers.stages import KEY, Stage, stage
from tests.orchestration.providers.wire import Fault, Stream, encode, pieces

pytestmark = pytest.mark.pure
SERVED = ("openai", "openai-foreground", "anthropic")
WRITES = call("write_file", {"path": "out.txt", "content": "a long enough text for many pieces"})


@pytest.fixture(params=SERVED)
def on(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with stage(request.param) as ready:
        yield ready


def ask(on: Stage) -> str:
    """One turn without a second try: how it finished, or the kind of its fault."""
    provider = on.provider()
    try:
        handle = provider.start(on.request())
        list(provider.events(handle))
        return provider.collect(handle).finish
    except ProviderError as fault:
        return fault.kind
    finally:
        provider.close()


def answer_bytes(on: Stage) -> bytes:
    reply = on.server.reply(_asked(on))  # type: ignore[union-attr]
    assert isinstance(reply, Stream)
    return b"".join(pieces(reply, Fault()))


def _asked(on: Stage) -> object:
    ask(on)
    return next(asked for asked in reversed(on.server.asked) if asked.method == "POST")  # type: ignore[union-attr]


def test_a_stream_cut_at_any_byte_is_never_a_whole_answer(on: Stage) -> None:
    on.play(WRITES)
    size = len(answer_bytes(on))
    terminal = len(encode(last_event(on), named=True))
    for end in [*range(0, size - terminal, 31), *range(size - terminal, size - 2, 5)]:
        on.server.faults.append(Fault(bytes=end))  # type: ignore[union-attr]
        on.server.forgets = True  # type: ignore[union-attr]
        assert ask(on) in ("cut", "garbage", "connect"), f"cut after {end} of {size} bytes"


def last_event(on: Stage) -> dict[str, object]:
    if on.name == "anthropic":
        return {"type": "message_stop"}
    body = on.server.asked[0].body  # type: ignore[union-attr]
    return openai_events(openai_response("resp_1", WRITES, body), WRITES)[-1]


def test_a_stream_cut_at_any_event_border_is_asked_for_again_and_the_call_made_once(on: Stage, tmp_path: Path) -> None:
    on.play(WRITES, say("Written."))
    reply = on.server.reply(_asked(on))  # type: ignore[union-attr]
    assert isinstance(reply, Stream)
    for border in range(len(reply.events)):
        on.server.faults.append(Fault(keep=border))  # type: ignore[union-attr]
        folder = tmp_path / str(border)
        folder.mkdir()
        host = AgentFakeHost(on.settings)
        outcome = run(make_step(on, folder), host)
        assert outcome.kind == "succeeded", outcome.error
        assert len(host.told("tool_call.finished")) == 1
        assert len(host.told("agent.retry")) == 1


def test_what_a_lost_answer_cost_is_unknown_and_said_so(tmp_path: Path) -> None:
    with stage("anthropic") as on:
        on.play(say("Done."))
        on.cut_first()
        outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert outcome.kind == "succeeded"
    assert outcome.usage["known"] is False
    assert outcome.usage["cost_usd"] is None
    assert outcome.usage["known_cost_usd"] > 0


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_passing_fault_is_waited_out(on: Stage, tmp_path: Path, status: int) -> None:
    on.play(say("Done."))
    on.fail_first(status)
    host = AgentFakeHost(on.settings)
    assert run(make_step(on, tmp_path), host).kind == "succeeded"
    assert len(host.told("agent.retry")) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "provider"), (401, "config"), (403, "config"), (404, "provider"), (413, "provider"), (307, "provider")],
)
def test_a_lasting_fault_ends_at_once_with_a_sentence(on: Stage, tmp_path: Path, status: int, reason: str) -> None:
    on.play(say("Done."))
    on.server.faults.append(
        Fault(status=status, headers={"location": "/elsewhere"}, body={"error": {"message": f"Bad key {KEY}"}})
    )  # type: ignore[union-attr]
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert (outcome.kind, outcome.reason) == ("failed", reason)
    assert str(status) in outcome.error
    assert KEY not in outcome.error
    assert len([asked for asked in on.server.asked if asked.method == "POST"]) == 1  # type: ignore[union-attr]


def test_a_provider_that_never_recovers_is_given_up_after_the_agreed_tries(on: Stage, tmp_path: Path) -> None:
    on.play(say("Done."))
    on.server.faults.extend([Fault(status=503, body="oops")] * 10)  # type: ignore[union-attr]
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert (outcome.kind, outcome.reason) == ("failed", "provider")
    assert len(on.server.asked) == EAGER.max_tries  # type: ignore[union-attr]


def test_quota_that_is_used_up_is_not_waited_for(tmp_path: Path) -> None:
    with stage("openai") as on:
        on.play(say("Done."))
        body = {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota."}}
        on.server.faults.append(Fault(status=429, body=body))  # type: ignore[union-attr]
        outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert outcome.kind == "failed"
    assert "exceeded your current quota" in outcome.error


def test_a_longer_wait_than_the_time_left_ends_now(on: Stage, tmp_path: Path) -> None:
    on.play(say("Done."))
    on.server.faults.extend([Fault(status=429, headers={"retry-after": "86400"}, body={})] * 3)  # type: ignore[union-attr]
    outcome = run(make_step(on, tmp_path, timeout_seconds=30), AgentFakeHost(on.settings), RetryPolicy())
    assert (outcome.kind, outcome.reason) == ("failed", "provider")


@pytest.mark.parametrize("fault", [Fault(drop=True), Fault(silent=0.6), Fault(keep=0), Fault(raw=b"\n\n")])
def test_an_answer_that_never_came_is_asked_for_again_under_the_same_key(tmp_path: Path, fault: Fault) -> None:
    for name in SERVED:
        with stage(name) as on:
            on.config = quick(on)
            on.play(say("Done."))
            on.server.faults.append(fault)  # type: ignore[union-attr]
            outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
            assert outcome.kind == "succeeded", outcome.error
            posts = [asked for asked in on.server.asked if asked.method == "POST"]  # type: ignore[union-attr]
            assert len(posts) == 2
            assert len({asked.headers["idempotency-key"] for asked in posts}) == 1


def quick(on: Stage) -> object:
    from dataclasses import replace

    return replace(on.config, read_timeout=0.3)


def test_nobody_at_the_address_is_a_sentence(on: Stage, tmp_path: Path) -> None:
    from dataclasses import replace

    on.config = replace(on.config, base_url="http://127.0.0.1:9/v1", connect_timeout=0.5)
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert (outcome.kind, outcome.reason) == ("failed", "provider")
    assert "could not be reached" in outcome.error


def event(body: bytes) -> bytes:
    return b"event: message_start\ndata: {" + body + b"}\n\n"


GARBAGE = {
    "not utf-8": b'data: {"type": "\xff\xfe"}\n\n',
    "nul": b'event: x\ndata: {"type": "\x00"}\n\n',
    "no json": b"event: message_start\ndata: {{{{\n\n",
    "a list": b"event: message_start\ndata: [1, 2]\n\n",
    "a number": b"event: message_start\ndata: 7\n\n",
    "null": b"event: message_start\ndata: null\n\n",
    "deep": event(b'"type": "message_start", "message": ' + b'{"a":' * 2000 + b"1" + b"}" * 2000),
    "html": b"<html><body>Login</body></html>",
    "wrong types": event(b'"type": "message_start", "message": {"id": 7, "usage": "x", "content": 3}'),
    "wrong response": event(b'"type": "response.created", "response": {"id": [], "output": 3}'),
    "completed nothing": event(b'"type": "response.completed", "sequence_number": "x", "response": null'),
    "an error": b'event: error\ndata: {"type": "error", "error": {"type": "api_error", "message": "boom"}}\n\n',
    "a bare error": b'event: error\ndata: {"type": "error", "code": "server_error", "message": "boom"}\n\n',
    "end first": b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_a_fault_with_a_sentence_and_never_an_answer(on: Stage, tmp_path: Path, kind: str) -> None:
    on.play(say("Done."))
    on.server.faults.extend([Fault(raw=GARBAGE[kind])] * 5)  # type: ignore[union-attr]
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert (outcome.kind, outcome.reason) == ("failed", "provider")
    assert outcome.error.endswith((".", "boom"))


def test_garbage_once_is_waited_out(on: Stage, tmp_path: Path) -> None:
    on.play(say("Done."))
    on.server.faults.append(Fault(raw=GARBAGE["no json"]))  # type: ignore[union-attr]
    assert run(make_step(on, tmp_path), AgentFakeHost(on.settings)).kind == "succeeded"


def test_unknown_events_are_passed_over(on: Stage, tmp_path: Path) -> None:
    on.play(say("Done."))
    reply = on.server.reply(_asked(on))  # type: ignore[union-attr]
    assert isinstance(reply, Stream)
    strange = encode({"type": "response.dream.delta", "sequence_number": 1, "delta": {"x": 1}}, named=True)
    mixed = b"".join(
        encode(event, named=True) + (strange if index == 0 else b"") for index, event in enumerate(reply.events)
    )
    on.server.faults.append(Fault(raw=mixed))  # type: ignore[union-attr]
    assert run(make_step(on, tmp_path), AgentFakeHost(on.settings)).kind == "succeeded"


def test_an_endless_answer_is_stopped_at_the_limit(on: Stage, tmp_path: Path) -> None:
    from dataclasses import replace

    on.config = replace(on.config, max_response_bytes=20_000)
    on.play(say("x" * 50_000))
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert outcome.kind == "failed"
    assert "larger than 20000 bytes" in outcome.error


def test_half_a_tool_call_is_never_made(on: Stage, tmp_path: Path) -> None:
    """Whole events, and yet a call whose arguments end in the middle."""
    on.play(call("write_file", '{"path": "out.txt", "content": "ha'), say("Sorry."))
    step = make_step(on, tmp_path)
    outcome = run(step, AgentFakeHost(on.settings))
    assert outcome.kind == "succeeded"
    assert list(step.workspace.iterdir()) == []
    results = json.loads(outcome.artifacts[0].path.read_text())["entries"][2]["results"]
    assert results[0]["text"] == "not made: the arguments are not a JSON object"


def test_a_stream_that_is_cut_every_time_is_given_up(on: Stage, tmp_path: Path) -> None:
    on.play(say("All the words of the answer."))
    on.server.faults.extend([Fault(keep=4)] * 20)  # type: ignore[union-attr]
    on.server.forgets = True  # type: ignore[union-attr]
    outcome = run(make_step(on, tmp_path), AgentFakeHost(on.settings))
    assert (outcome.kind, outcome.reason) == ("failed", "provider")
