"""The plan that a run follows is one that can be followed: 12, 21."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration import graph
from orchestration.invariants.breach import Breach
from orchestration.invariants.facts import PlanFacts, RunFacts


def check(facts: RunFacts) -> Iterator[Breach]:
    yield from _plan(facts, facts.plan)
    yield from _belonging(facts)


def _plan(facts: RunFacts, plan: PlanFacts) -> Iterator[Breach]:
    run = facts.run
    for key, other in plan.unknown_needs:
        yield Breach(12, f"The step needs {other!r}, which the plan does not have.", run.id, key)
    if len(set(plan.keys)) != len(plan.keys):
        yield Breach(12, "Two steps of the plan have one key.", run.id)
    if cycle := graph.find_cycle(plan.graph.needs):
        names = " -> ".join(plan.keys[place] for place in cycle[:10])
        yield Breach(12, f"Steps of the plan need each other: {names}.", run.id)
    drawn = {(other, key) for key, needed in plan.needs.items() for other in needed}
    if drawn != plan.edges:
        wrong = sorted(drawn ^ plan.edges)[:3]
        pairs = ", ".join(f"{before} -> {after}" for before, after in wrong)
        yield Breach(12, f"The edges are not what the steps need: {pairs}.", run.id)


def _belonging(facts: RunFacts) -> Iterator[Breach]:
    run = facts.run
    if {run.feature__project_id, run.workflow__project_id} != {run.project_id}:
        yield Breach(21, "Its feature or its workflow belongs to another project.", run.id)
    if run.version__workflow_id != run.workflow_id:
        yield Breach(21, "It follows a version of another workflow.", run.id)
    keys = {step.id: step.key for step in facts.steps}
    for step in facts.steps:
        if step.step__version__workflow_id != run.workflow_id:
            yield Breach(21, "It does a step of another workflow.", run.id, step.key)
        if any(approval.project_id != run.project_id for approval in facts.approvals_of(step)):
            yield Breach(21, "An approval of the step belongs to another project.", run.id, step.key)
    for attempt in facts.stray_attempts:
        yield Breach(21, f"Attempt {attempt.id} belongs to a step of another run.", run.id)
    attempts = {attempt.id: attempt.step_run_id for attempt in facts.all_attempts()}
    for artifact in facts.artifacts:
        if attempts.get(artifact.attempt_id) != artifact.step_run_id:
            key = keys.get(artifact.step_run_id, "")
            yield Breach(21, f"Artifact {artifact.name!r} belongs to an attempt of another step or run.", run.id, key)
