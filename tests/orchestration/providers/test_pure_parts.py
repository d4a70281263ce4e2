"""The parts that only calculate: waits, prices, budgets, addresses, context, scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.executors.agent import AgentExecutor
from orchestration.executors.agents.context import Document, assemble
from orchestration.executors.agents.host import Estimate, within_budget
from orchestration.executors.agents.state import AgentState
from orchestration.providers import pricing
from orchestration.providers.base import ToolRequest, TurnResult, Usage
from orchestration.providers.config import ProviderConfig, address_problems, from_environment, resolve_config
from orchestration.providers.faults import clean
from orchestration.providers.pace import Pace
from orchestration.providers.retry import RetryPolicy, parse_retry_after
from orchestration.providers.script import example_value, parse_script

pytestmark = pytest.mark.pure
NOW = 1_790_000_000.0


def at(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + seconds, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "5"}, 5.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "86400"}, 86400.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": at(30)}, 30.0),
        ({"retry-after": at(-30)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Thu, 99 Foo 2026"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_every_form_of_retry_after_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, NOW) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text()))
def test_no_header_makes_the_wait_fail(headers: dict[str, str]) -> None:
    seconds = parse_retry_after(headers, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e12), st.floats(0, 1))
def test_a_wait_is_at_least_a_second_and_at_most_the_cap(tries: int, retry_after: float | None, chance: float) -> None:
    assert 1.0 <= RetryPolicy().wait(tries, retry_after, chance) <= 75.0


def test_what_the_provider_asks_for_is_honoured_up_to_the_cap() -> None:
    assert RetryPolicy().wait(1, 30, 0.0) == 30
    assert RetryPolicy().wait(1, 86_400, 0.0) == 75.0


def test_prices_are_known_or_unknown_and_never_zero() -> None:
    used = Usage(input_tokens=1000, cached_input_tokens=100, output_tokens=1000)
    assert pricing.cost_usd("openai", "gpt-5.5", used) == Decimal("0.03455")
    assert pricing.cost_usd("openai", "my-own-model", used) is None
    assert pricing.cost_usd("openai", "gpt-5.5", Usage(known=False)) is None
    assert pricing.cost_usd("somebody", "gpt-5.5", used) is None
    assert pricing.price_version().startswith("genai-prices 0.")


def estimate(used: int = 0, spent: str | None = "0", prices: tuple[str, str] | None = ("0.001", "0.002")) -> Estimate:
    per_token = None if prices is None else (Decimal(prices[0]), Decimal(prices[1]))
    return Estimate("k", 1000, 4000, per_token, Usage(input_tokens=used), None if spent is None else Decimal(spent))


@pytest.mark.parametrize(
    ("asked", "budget", "granted", "output"),
    [
        (estimate(), {}, True, None),
        (estimate(), {"max_tokens": 5000}, True, None),
        (estimate(), {"max_tokens": 3000}, True, 2000),
        (estimate(), {"max_tokens": 1100}, False, None),
        (estimate(used=9000), {"max_tokens": 9500}, False, None),
        (estimate(), {"max_cost_usd": 9.0}, True, None),
        (estimate(), {"max_cost_usd": 3.0}, True, 1000),
        (estimate(spent="2.9"), {"max_cost_usd": 3.0}, False, None),
        (estimate(prices=None), {"max_cost_usd": 3.0}, False, None),
        (estimate(spent=None), {"max_cost_usd": 3.0}, False, None),
        (estimate(prices=("0", "0")), {"max_cost_usd": 3.0}, True, None),
        (estimate(prices=None), {"max_tokens": 9000}, True, None),
    ],
)
def test_a_budget_grants_shortens_or_refuses(
    asked: Estimate, budget: dict[str, float], granted: bool, output: int | None
) -> None:
    reservation = within_budget(asked, budget)
    assert (reservation.granted, reservation.max_output_tokens) == (granted, output)
    assert granted or reservation.reason


def test_the_key_of_the_server_goes_only_to_the_address_of_the_server() -> None:
    environ = {"OPENAI_API_KEY": "sk-server", "OPENAI_BASE_URL": "https://gateway.example/v1"}
    assert resolve_config("openai", None, environ).api_key == "sk-server"
    assert resolve_config("openai", ProviderConfig("openai", model="m"), environ).api_key == "sk-server"
    stranger = resolve_config("openai", ProviderConfig("openai", base_url="https://evil.example/v1"), environ)
    assert (stranger.api_key, stranger.base_url) == ("", "https://evil.example/v1")
    own = resolve_config("openai", ProviderConfig("openai", base_url="http://vllm:8000/v1", api_key="own"), environ)
    assert own.api_key == "own"


def test_without_settings_the_public_addresses_count() -> None:
    assert from_environment("anthropic", {}).base_url == "https://api.anthropic.com"
    assert from_environment("simulated", {}).base_url == ""


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "https://", "https://u:p@x/v1", "https://x/?q=1", "file:///etc", "https://x:99999", "//x"]
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    assert address_problems(url)


def test_somebody_elses_words_are_one_short_line_without_the_key() -> None:
    said = clean("Bad\nkey \x1b[31msk-secret\u202e " + "x" * 1000, "sk-secret")
    assert said.startswith("Bad key")
    assert "sk-secret" not in said
    assert "\x1b" not in said
    assert len(said) == 500


def test_documents_are_attached_whole_cut_at_a_line_or_named() -> None:
    documents = [Document("a.md", "short"), Document("b.md", "a line of text\n" * 500)]
    documents += [Document("c.md", "late " * 100), Document("d.md", "late " * 100)]
    attached = assemble(documents, 1000)
    assert '<document path="a.md">' in attached.text
    assert attached.tokens <= 1000
    assert attached.cut[0].startswith("b.md was cut after line ")
    assert attached.cut[1].startswith("c.md was cut in line 1 of 1")
    assert attached.cut[2].startswith("d.md was left out")


def test_of_a_document_that_is_one_long_line_the_beginning_is_attached() -> None:
    attached = assemble([Document("a.md", "# Title\n" + "Wörter " * 30_000)], 1000)
    assert 900 < attached.tokens <= 1000
    assert attached.cut == ("a.md was cut in line 2 of 2; about 1 % of it is attached.",)


@given(st.lists(st.text(max_size=2000), max_size=8), st.integers(0, 2000))
def test_attached_documents_never_exceed_their_budget_and_nothing_is_cut_in_silence(
    texts: list[str], budget: int
) -> None:
    documents = [Document(f"{index}.md", text) for index, text in enumerate(texts)]
    attached = assemble(documents, budget)
    assert attached.tokens <= budget
    whole = sum(f'path="{document.path}"' in attached.text for document in documents)
    assert whole + len(attached.cut) >= len(documents)


def test_the_state_of_an_agent_survives_json() -> None:
    state = AgentState()
    calls = (ToolRequest("p1", "read_file", '{"path": "a"}'), ToolRequest("p1", "read_file", "{"))
    state.transcript.append({"role": "user", "text": "Go", "attachments": ""})
    state.add_turn(
        TurnResult("tool_calls", calls=calls, usage=Usage(1, 2, 3, 4, 5), response_id="r1"), Decimal("0.1"), 7
    )
    state.calls[0].state, state.calls[1].result = "pending", {"text": "no", "is_error": True}
    back = AgentState.from_json(json.loads(json.dumps(state.to_json())))
    assert back == state
    assert len({call.call_id for call in back.calls}) == 2
    assert back.to_json()["pending"] == [state.calls[0].call_id]


def test_a_script_is_split_into_turns() -> None:
    script = parse_script(
        'Goal\n!think a\n!tool x {"a": 1}\n!also y\n!usage 1 2\n!say b\n!tool z\n!say end\nmore words'
    )
    assert [[action["do"] for action in turn] for turn in script] == [
        ["think", "tool", "tool", "usage"],
        ["say", "tool"],
        ["say"],
    ]
    assert parse_script("No directive here! At all.\n") == []


@given(st.text())
def test_no_prompt_breaks_the_script(prompt: str) -> None:
    parse_script(prompt)
    parse_script("\n".join(f"!{word} {prompt}" for word in ("tool", "fail", "hang", "stream", "usage", "cut")))


@pytest.mark.parametrize("word", ["Infinity", "-Infinity", "NaN", "1e999", "9" * 400, "true", "²", "-3"])
def test_a_number_that_no_person_means_is_left_out(word: str) -> None:
    [[stream]] = parse_script(f"!stream {word}")
    [[hang]] = parse_script(f"!hang {word}")
    [[fail]] = parse_script(f"!fail {word}")
    assert (stream["count"], hang["seconds"], fail["code"], fail["text"]) == (10, None, 0, word)


def test_an_example_fits_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 3}, "k": {"enum": ["a"]}, "l": {"type": "array"}},
    }
    assert example_value(schema) == {"n": 3, "k": "a", "l": []}


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ({"provider": "nobody"}, "There is no provider 'nobody'"),
        ({"provider": "simulated", "tools": ["fly"]}, "There is no tool 'fly'"),
        ({"provider": "simulated", "output_schema": {"type": 7}}, "not a valid JSON schema"),
        ({"provider": "simulated", "prompt": "!tool read_file {}\n!explode"}, "knows no directive !explode"),
    ],
)
def test_what_is_wrong_with_a_step_is_said_before_it_runs(definition: dict[str, object], words: str) -> None:
    assert words in " ".join(AgentExecutor().validate_config(definition))


def test_agents_that_fail_together_come_back_one_after_the_other() -> None:
    pace = Pace(clock=lambda: 100.0)
    waits = [pace.wait("one project's provider", 1.0, 1.0) for _ in range(50)]
    assert waits == [float(number) for number in range(1, 51)]
    assert pace.wait("another's", 1.0, 1.0) == 1.0
