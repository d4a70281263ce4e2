"""Whatever people and workers do, in whatever order: the history tells the states, and no rule is broken on the way."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestration import graph
from orchestration.engine import controlling
from orchestration.engine.errors import EngineError
from orchestration.models import ExecutionRun
from policy.errors import PolicyError
from tests.orchestration import runs

DRAWINGS = [
    "a >> b >> c",
    "a >> b, c >> d",
    "a, b >> c",
    "a >> g >> b",
    "a >> b, g >> c >> d",
]
SAID: dict[str, dict[str, Any]] = {
    "g": {"type": "approval", "quorum": 2},
    "b": {"retry": {"max_attempts": 2, "backoff_seconds": 0}, "continue_on_error": True},
    "c": {"effects": "repeatable", "when": "steps.a.state == 'succeeded'"},
}
OUTCOMES = [runs.DONE, runs.BROKEN, runs.LOST]
KEYS = st.sampled_from("abcdg")


class Run(RuleBasedStateMachine):
    """One run under random hands; refusals are part of the game, broken promises are not."""

    @initialize(drawing=st.sampled_from(DRAWINGS))
    def launch(self, drawing: str) -> None:
        self.team = runs.make_team(Path(tempfile.mkdtemp()))
        said = {key: value for key, value in SAID.items() if key in drawing and (key != "c" or "a" in drawing)}
        self.run = runs.launch(self.team, drawing, said)
        self.open: dict[str, Any] = {}
        self.finals = 0

    def act(self, call: Any, *arguments: Any, **named: Any) -> None:
        with contextlib.suppress(EngineError, PolicyError):
            call(*arguments, **named)

    @rule()
    def start_something(self) -> None:
        if (assignment := runs.start(self.run)) is not None:
            assert assignment.step_key not in self.open, "one open attempt for each step"
            self.open[assignment.step_key] = assignment

    @precondition(lambda self: bool(self.open))
    @rule(outcome=st.sampled_from(OUTCOMES), data=st.data())
    def end_something(self, outcome: Any, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.open)))
        runs.finish(self.open.pop(key), outcome)

    @rule(
        key=KEYS,
        by=st.sampled_from(["ada", "grace", "edsger", "linus"]),
        decision=st.sampled_from(["approve", "reject"]),
    )
    def decide(self, key: str, by: str, decision: str) -> None:
        if key in runs.states(self.run):
            self.act(runs.decide, self.team, self.run, key, by=by, decision=decision)

    @rule(key=KEYS, verb=st.sampled_from(["retry_step", "skip_step"]))
    def repair(self, key: str, verb: str) -> None:
        self.act(getattr(controlling, verb), self.run.pk, key, reason="Try.", by=self.team.actor("ada"))

    @rule(verb=st.sampled_from(["pause_run", "resume_run"]))
    def control(self, verb: str) -> None:
        self.act(getattr(controlling, verb), self.run.pk, reason="Wait.", by=self.team.actor("ada"))

    @rule(chance=st.integers(0, 5))
    def cancel(self, chance: int) -> None:
        if chance == 0:
            self.act(controlling.cancel_run, self.run.pk, reason="Stop.", by=self.team.actor("ada"))

    @invariant()
    def history_and_states_agree(self) -> None:
        if not hasattr(self, "run"):
            return
        self.run.refresh_from_db()
        states = runs.states(self.run)
        assert runs.fold(self.run) == (self.run.state, states)
        numbers = list(self.run.events.order_by("sequence_no").values_list("sequence_no", flat=True))
        assert numbers == list(range(1, self.run.last_sequence_no + 1))
        running = {key for key, state in states.items() if state == "running"}
        assert running == set(self.open)
        open_attempts = ExecutionRun.objects.filter(run=self.run, finished_at=None)
        assert set(open_attempts.values_list("step_run__key", flat=True)) == running
        self._nothing_is_forgotten(states)

    def _nothing_is_forgotten(self, states: dict[str, str]) -> None:
        if self.run.state in ("succeeded", "canceled"):
            assert set(states.values()) <= graph.SETTLED
        if self.run.state == "succeeded":
            assert not {"canceled"} & set(states.values())
        if self.run.control == "none" and self.run.state == "running":
            assert set(states.values()) & {"running", "ready", "retry_wait"}


@pytest.mark.django_db
def test_no_order_of_actions_breaks_a_promise() -> None:
    run_state_machine_as_test(
        Run,
        settings=settings(
            max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
