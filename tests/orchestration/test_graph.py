"""The pure planner against plain re-statements of its rules, on graphs that nobody would draw."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import graph
from orchestration.graph import Graph, RunFacts

pytestmark = pytest.mark.pure
STEP_STATES = ["pending", "awaiting_approval", "ready", "running", "retry_wait", "interrupted", "succeeded", "failed",
               "skipped", "canceled"]  # fmt: skip


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    size = draw(st.integers(1, 12))
    needs = tuple(
        tuple(sorted(draw(st.sets(st.integers(0, index - 1), max_size=4)))) if index else () for index in range(size)
    )
    return Graph(needs, frozenset(draw(st.sets(st.integers(0, size - 1)))))


@st.composite
def situations(draw: st.DrawFn) -> tuple[Graph, list[str]]:
    drawn = draw(graphs())
    return drawn, draw(st.lists(st.sampled_from(STEP_STATES), min_size=len(drawn.needs), max_size=len(drawn.needs)))


def lets_through(drawn: Graph, states: list[str], index: int) -> bool:
    return states[index] in ("succeeded", "skipped") or (states[index] == "failed" and index in drawn.forgiven)


@given(situations())
def test_a_step_is_ready_exactly_when_it_is_pending_and_all_its_needs_let_it_through(
    situation: tuple[Graph, list[str]],
) -> None:
    drawn, states = situation
    found = graph.ready_steps(drawn, states)
    for index, needed in enumerate(drawn.needs):
        good = all(
            states[n] in ("succeeded", "skipped") or (states[n] == "failed" and n in drawn.forgiven) for n in needed
        )
        assert (index in found) == (states[index] == "pending" and good)
    assert found == sorted(found)


@given(situations(), st.data())
def test_looking_only_near_what_changed_finds_the_same_as_looking_everywhere(
    situation: tuple[Graph, list[str]], data: st.DataObject
) -> None:
    drawn, states = situation
    settled = set(graph.ready_steps(drawn, states))
    opened = ["ready" if index in settled else state for index, state in enumerate(states)]
    live = [index for index, state in enumerate(opened) if state in ("ready", "running")]
    if not live:
        return
    done = data.draw(st.sampled_from(live))
    opened[done] = "succeeded"
    assert graph.ready_steps(drawn, opened, [done]) == graph.ready_steps(drawn, opened)


@given(situations(), st.sampled_from(["none", "pause", "cancel"]), st.booleans())
def test_every_situation_that_can_arise_has_a_state_of_the_run(
    situation: tuple[Graph, list[str]], control: str, admitted: bool
) -> None:
    drawn, states = situation
    opened = ["ready" if index in graph.ready_steps(drawn, states) else state for index, state in enumerate(states)]
    counts = graph.count_states(drawn, opened)
    try:
        state, _ = graph.run_state(counts, RunFacts(admitted=admitted, control=control))
    except graph.UnreachableState:
        stuck = {s for s in opened if s not in ("succeeded", "skipped")} - {"pending", "canceled"}
        assert not (stuck - {"failed"}), "only pending or canceled steps may be left where no row holds"
        return
    assert state in ("queued", "running", "blocked", "paused", "failed", "succeeded", "canceled")
    if state == "succeeded":
        assert all(
            s in ("succeeded", "skipped") or (s == "failed" and i in drawn.forgiven) for i, s in enumerate(opened)
        )


@given(st.integers(1, 30), st.data())
def test_a_cycle_is_found_exactly_when_there_is_one(size: int, data: st.DataObject) -> None:
    needs = [tuple(data.draw(st.sets(st.integers(0, size - 1), max_size=3))) for _ in range(size)]
    cycle = graph.find_cycle(needs)
    assert bool(cycle) == (not _has_order(needs))
    for here, there in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True):
        assert here in needs[there]


def _has_order(needs: list[tuple[int, ...]]) -> bool:
    done: set[int] = set()
    while len(done) < len(needs):
        free = {index for index, needed in enumerate(needs) if index not in done and set(needed) <= done}
        if not free:
            return False
        done |= free
    return True


def test_where_no_step_names_a_need_the_list_is_the_order() -> None:
    assert graph.needs_of(["a", "b", "c"], [None, None, None]) == ((), (0,), (1,))


def test_where_any_step_names_a_need_those_without_are_roots() -> None:
    assert graph.needs_of(["a", "b", "c"], [None, ["a"], None]) == ((), (0,), ())


def test_a_chain_of_ten_thousand_steps_is_no_recursion() -> None:
    needs = graph.needs_of([f"s{i}" for i in range(10_000)], [None] * 10_000)
    assert graph.find_cycle(needs) == []
    assert graph.ready_steps(Graph(needs), ["pending"] * 10_000) == [0]


@pytest.mark.parametrize(
    ("states", "facts", "expected"),
    [
        (["pending"], RunFacts(admitted=False), ("queued", "run_limit")),
        (["succeeded", "skipped"], RunFacts(), ("succeeded", "")),
        (["running", "pending"], RunFacts(control="cancel"), ("running", "canceling")),
        (["canceled", "succeeded"], RunFacts(control="cancel"), ("canceled", "canceled")),
        (["running", "pending"], RunFacts(control="pause"), ("paused", "pausing")),
        (["ready", "pending"], RunFacts(control="pause"), ("paused", "paused")),
        (["retry_wait", "failed"], RunFacts(), ("running", "")),
        (["awaiting_approval", "failed"], RunFacts(), ("blocked", "approval")),
        (["interrupted", "failed"], RunFacts(), ("paused", "interrupted")),
        (["failed", "pending"], RunFacts(), ("failed", "step_failed")),
    ],
)
def test_the_first_row_of_the_table_that_holds_is_the_state(
    states: list[str], facts: RunFacts, expected: tuple[str, str]
) -> None:
    drawn = Graph(tuple(() for _ in states))
    assert graph.run_state(graph.count_states(drawn, states), facts) == expected
