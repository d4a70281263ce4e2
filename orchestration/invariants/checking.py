"""All checks over all runs asked for, a batch at a time. Call inside `read_snapshot`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.engine.door import database_now
from orchestration.invariants import (
    attempts,
    decisions,
    liveness,
    output,
    plans,
    reading,
    records,
    secrecy,
    states,
)
from orchestration.invariants.breach import Breach
from orchestration.invariants.facts import RunFacts
from orchestration.invariants.history import History
from orchestration.invariants.rules import RuleHistory
from orchestration.models import WorkflowRun


@dataclass
class Scope:
    """Which runs; all of them where neither is named. `runs` and `events` count what was looked at."""

    run_id: uuid.UUID | None = None
    project: str = ""
    runs: int = 0
    events: int = 0
    _plans: reading.Plans = field(default_factory=reading.Plans)

    @property
    def is_everything(self) -> bool:
        return self.run_id is None and not self.project

    def queryset(self) -> Any:
        found = WorkflowRun.objects.all()
        found = found.filter(pk=self.run_id) if self.run_id else found
        return found.filter(project__slug=self.project) if self.project else found


def check(scope: Scope) -> Iterator[Breach]:
    """Every breach, run by run, then those of the whole. The audit chain and the keys belong to no run."""
    now, rules, store = database_now(), RuleHistory(), output.Artifacts()
    for rows in reading.batches(scope.queryset()):
        found = reading.facts_of(rows, scope._plans)
        histories = _histories(scope, found)
        for run_id, facts in found.items():
            history = histories[run_id]
            yield from history.breaches
            yield from states.check(facts, history)
            yield from plans.check(facts)
            yield from attempts.check(facts, history)
            yield from decisions.check(facts, history, rules.were_asking)
            yield from records.check(facts, history)
            yield from store.check(facts)
            yield from liveness.check_final(facts)
            yield from liveness.check_leases(facts, now)
        yield from output.check_logs(list(found.values()))
    yield from liveness.check_waiting(scope.queryset(), now)
    yield from secrecy.check(scope.queryset())
    if scope.is_everything:
        yield from records.check_audit()
        yield from records.check_commands()


def _histories(scope: Scope, found: Mapping[uuid.UUID, RunFacts]) -> dict[uuid.UUID, History]:
    histories = {run_id: History(facts.run, facts.plan) for run_id, facts in found.items()}
    scope.runs += len(found)
    named = {reading.as_written(run_id): history for run_id, history in histories.items()}
    for name, number, kind, key, data, audit in reading.events_of([facts.run for facts in found.values()]):
        named[name].see(number, kind, key, data, audit)
        scope.events += 1
    return histories
