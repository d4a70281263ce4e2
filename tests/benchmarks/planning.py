"""The pure planner on a graph that nobody would draw, from nothing to everything settled."""

from __future__ import annotations

import random
from collections.abc import Iterator

from orchestration import graph
from tests.benchmarks.figures import Figure, median, repeat

STEPS, EDGES = 10_000, 30_000


def plan_large() -> Iterator[Figure]:
    keys = [f"s{n}" for n in range(STEPS)]
    dice = random.Random(1)
    needs: list[set[str]] = [set() for _ in keys]
    while sum(map(len, needs)) < EDGES:
        for _ in range(EDGES - sum(map(len, needs))):
            later = dice.randrange(1, STEPS)
            needs[later].add(keys[dice.randrange(later)])
    yield Figure("planning", median(repeat(5, lambda: _settle(keys, [list(found) for found in needs]))) * 1000)


def _settle(keys: list[str], needs: list[list[str]]) -> None:
    """Checked for cycles, then promoted step by step as a run would do it."""
    numbers = graph.needs_of(keys, needs)
    assert not graph.find_cycle(numbers)
    plan, states = graph.Graph(numbers), ["pending"] * len(keys)
    ready = graph.ready_steps(plan, states)
    while ready:
        for place in ready:
            states[place] = "succeeded"
        ready = graph.ready_steps(plan, states, ready)
    assert graph.run_state(graph.count_states(plan, states), graph.RunFacts()) == ("succeeded", "")
