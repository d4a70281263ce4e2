"""What is wrong with a plan is named by its exact place, in a sentence, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration import plan_text
from orchestration.models import Workflow
from orchestration.schema import InvalidPlan
from tests.api.people import Caller, problem_of
from tests.orchestration.runs import Team

SCHEMA = {"type": "object"}


def command(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "type": "command", "command": "true", **more}


def check(kind: str, **more: Any) -> dict[str, Any]:
    return {"key": "v", "type": "validation", "checks": [{"kind": kind, **more}]}


def agent(**more: Any) -> dict[str, Any]:
    return {"key": "a", "type": "sdk", "provider": "simulated", "prompt": "Look.", **more}


A, B = command("a"), command("b")
PASSED_ON = {"env": {"X": "${{ steps.b.outputs.x }}"}}
FAULTS: list[tuple[str, list[Any]]] = [
    ("steps", []),
    ("steps[0]", ["a"]),
    ("steps[0].type", [{"key": "a"}]),
    ("steps[0].type", [{"key": "a", "type": "dance"}]),
    ("steps[0].command", [command("a", command=" ")]),
    ("steps[0].continue_on_error", [command("a", continue_on_error="no")]),
    ("steps[0].continue_on_error", [command("a", continue_on_error=1)]),
    ("steps[0].timeout_seconds", [command("a", timeout_seconds=True)]),
    ("steps[0].env.1X", [command("a", env={"1X": "x"})]),
    ("steps[1].key", [A, A]),
    ("steps[0].needs[0]", [command("a", needs=["a"])]),
    ("steps[2].needs[0]", [A, B, command("c", needs=["x"])]),
    ("steps[1].needs[1]", [A, command("b", needs=["a", "a"])]),
    ("steps[1].needs[1]", [command("a", needs=["b"]), command("b", needs=["c", "a"]), command("c")]),
    ("steps[0].env.X", [command("a", env={"X": "${{ inputs.nothing }}"})]),
    ("steps[0].env.X", [command("a", **PASSED_ON), B]),
    ("steps[0].env.X", [command("a", needs=[], **PASSED_ON), B]),
    ("steps[1].env.X", [A, command("b", **PASSED_ON)]),
    ("steps[0].prompt", [agent(prompt="${{ steps.x.outputs.y }}")]),
    ("steps[0].system", [agent(system="${{ inputs.nothing }}")]),
    ("steps[0].provider", [agent(provider="nobody")]),
    ("steps[0].tools[1]", [agent(tools=["read_file", "fly"])]),
    ("steps[0].checks[0].kind", [check("telepathy")]),
    ("steps[0].checks[0].required", [check("file", path="x", required="no")]),
    ("steps[0].checks[0]", [check("json_schema", schema=SCHEMA)]),
    ("steps[0].checks[0].output", [check("json_schema", output="x", schema=SCHEMA)]),
    ("steps[0].checks[0].output", [check("json_schema", output="a.x", schema=SCHEMA)]),
    ("steps[1].checks[0].output", [A, check("json_schema", output="steps.b.outputs.x", schema=SCHEMA)]),
]


@pytest.fixture
def plan(team: Team) -> dict[str, Any]:
    return {"name": "Plan", "project": team.project.slug, "feature": team.feature.slug}


@pytest.mark.parametrize(("path", "steps"), FAULTS)
def test_a_fault_is_named_by_its_place(ada: Caller, plan: dict[str, Any], path: str, steps: list[Any]) -> None:
    told = problem_of(ada.post("/workflows", {**plan, "steps": steps}), 422)
    assert [error["path"] for error in told["errors"]] == [path]
    assert told["errors"][0]["message"].endswith(".")
    assert not Workflow.objects.exists()


@pytest.mark.parametrize(
    "steps",
    [
        [A, command("b", env={"X": "${{ steps.a.outputs.x }}"})],
        [command("c", needs=["b"], env={"X": "${{ steps.a.outputs.x }}"}), A, command("b", needs=["a"])],
        [A, check("json_schema", output="steps.a.outputs.x", schema=SCHEMA)],
        [A, check("json_schema", output="a.x", schema=SCHEMA)],
    ],
)
def test_what_comes_before_may_be_named(ada: Caller, plan: dict[str, Any], steps: list[Any]) -> None:
    assert ada.post("/workflows", {**plan, "steps": steps}).status_code == 201


@pytest.mark.parametrize(
    ("path", "field"),
    [("steps[0].key", '"key": "a", "key": "b"'), ("steps[0].env.X", '"key": "a", "env": {"X": "1", "X": "2"}')],
)
def test_a_field_that_stands_twice_is_named(ada: Caller, plan: dict[str, Any], path: str, field: str) -> None:
    raw = json.dumps({**plan, "steps": ["HERE"]}).replace(
        '"HERE"', f'{{"type": "command", "command": "true", {field}}}'
    )
    told = problem_of(ada.send("/workflows", raw), 422)
    assert [error["path"] for error in told["errors"]] == [path]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("name", "name: a\nname: b\n"),
        ("steps[1].key", "steps:\n- key: a\n- key: a\n  key: b\n"),
        ("steps[0].checks[0].kind", "steps:\n- checks:\n  - {kind: file, kind: junit}\n"),
    ],
)
def test_a_field_that_stands_twice_in_yaml_is_named(path: str, text: str) -> None:
    with pytest.raises(InvalidPlan) as refusal:
        plan_text.read_plan(text)
    assert [error["path"] for error in refusal.value.errors] == [path]


@pytest.mark.parametrize(("text", "word"), [("a: &x 1\nb: *x\n", "anchors"), ("a: " + "[" * 99 + "]" * 99, "nested")])
def test_yaml_that_grows_or_nests_is_refused_for_what_it_is(text: str, word: str) -> None:
    with pytest.raises(InvalidPlan, match=word):
        plan_text.read_plan(text)


def test_a_value_of_no_kind_is_one_fault(ada: Caller, plan: dict[str, Any]) -> None:
    given = {**plan, "inputs": {"n": {"type": "number", "default": [1]}}, "steps": [A]}
    told = problem_of(ada.post("/workflows", given), 422)
    assert [error["path"] for error in told["errors"]] == ["inputs.n.default"]


@pytest.mark.parametrize(
    ("number", "word"), [("9" * 5000, "too large"), ("NaN", "NaN"), ("1e999", "finite"), ("9" * 30, "too large")]
)
def test_a_number_that_can_not_be_kept_is_refused_in_plain_words(
    ada: Caller, plan: dict[str, Any], number: str, word: str
) -> None:
    raw = json.dumps({**plan, "steps": [A], "inputs": {"n": {"type": "number", "default": "HERE"}}})
    told = problem_of(ada.send("/workflows", raw.replace('"HERE"', number)), 422)
    assert word in told["detail"]
    assert "sys." not in told["detail"]
