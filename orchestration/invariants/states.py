"""Stored states against what they follow from: 1, 2, 3, 7, 13."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration import graph
from orchestration.graph import UnreachableState
from orchestration.invariants.breach import Breach
from orchestration.invariants.facts import RunFacts, StepRow
from orchestration.invariants.history import History


def check(facts: RunFacts, history: History) -> Iterator[Breach]:
    current = facts.current
    yield from _history(facts, history, current)
    yield from _generation(facts, history, current)
    if [step.key for step in current] == list(facts.plan.keys):
        yield from _function(facts, [step.state for step in current])


def _history(facts: RunFacts, history: History, current: list[StepRow]) -> Iterator[Breach]:
    run = facts.run
    if history.last != run.last_sequence_no:
        yield Breach(3, f"The last event is {history.last}; the run says {run.last_sequence_no}.", run.id)
    for name, told in (("state", history.state), ("control", history.control), ("admitted", history.admitted)):
        stored = getattr(run, name)
        if stored != told:
            yield Breach(2, f"The run's {name} is {stored}; its events tell of {told}.", run.id)
    for step in current:
        told = history.states.get(step.key, "pending")
        if step.state != told:
            yield Breach(2, f"The step is {step.state}; its events tell of {told}.", run.id, step.key)


def _generation(facts: RunFacts, history: History, current: list[StepRow]) -> Iterator[Breach]:
    run = facts.run
    if run.generation != history.generation:
        message = f"The run is in generation {run.generation}; its events tell of {history.generation}."
        yield Breach(13, message, run.id)
    for step in current:
        if step.generation != run.generation:
            message = f"The step is of generation {step.generation}, the run of {run.generation}."
            yield Breach(13, message, run.id, step.key)
    keys = [step.key for step in current]
    if keys != list(facts.plan.keys):
        lost = sorted(set(facts.plan.keys) ^ set(keys))[:5]
        yield Breach(13, f"The present steps are not those of the plan, in its order: {', '.join(lost)}.", run.id)
    superseded = len(facts.steps) - len(current)
    if superseded != history.superseded:
        message = f"{superseded} steps are superseded; the events tell of {history.superseded}."
        yield Breach(13, message, run.id)


def _function(facts: RunFacts, states: list[str]) -> Iterator[Breach]:
    run, plan = facts.run, facts.plan
    given = graph.RunFacts(admitted=run.admitted, control=run.control)
    try:
        computed, _ = graph.run_state(graph.count_states(plan.graph, states), given)
    except UnreachableState:
        yield Breach(7, "Steps are pending, and nothing runs, is ready, waits or has failed.", run.id)
        return
    if run.state != computed:
        yield Breach(1, f"The run is {run.state}; its steps make it {computed}.", run.id)
    if run.admitted and run.control != "cancel":
        for place in graph.ready_steps(plan.graph, states):
            yield Breach(7, "All that the step needs is there, and it is still pending.", run.id, plan.keys[place])
