"""Whatever people and workers do, in whatever order: the history tells the states, and no rule is broken on the way."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone
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

from orchestration import graph, invariants
from orchestration.engine import (
    agent_gates,
    controlling,
    deciding,
    drift,
    overriding,
    recovering,
    replanning,
    revoking,
    starting,
)
from orchestration.engine.door import change_run
from orchestration.engine.drift import Look
from orchestration.engine.errors import EngineError
from orchestration.executors.base import Outcome, ToolCall
from orchestration.models import ExecutionRun
from orchestration.schema import InvalidPlan
from policy.actors import Actor
from policy.errors import PolicyError
from policy.rulebook import RuleText, write_rule
from tests.orchestration import runs

DRAWINGS = [
    "a >> b >> c",
    "a >> b, c >> d",
    "a, b >> c",
    "a >> g >> b",
    "a >> b, g >> c >> d",
    "a >> p, x >> b",
    "a >> g >> p, s >> d",
]
SAID: dict[str, dict[str, Any]] = {
    "g": {"type": "approval", "quorum": 2},
    "b": {"retry": {"max_attempts": 2, "backoff_seconds": 0}, "continue_on_error": True},
    "c": {"effects": "repeatable", "when": "steps.a.state == 'succeeded'"},
    "p": {"command": "git push origin main", "retry": {"max_attempts": 2, "backoff_seconds": 0}},
    "s": {"type": "sdk", "provider": "simulated", "prompt": "Look.", "tools": ["run_command"]},
    "x": {"command": "rm -rf /"},
}
OUTCOMES = [runs.DONE, runs.BROKEN, runs.LOST]
WORKER = Actor.system("worker")
KEYS = st.sampled_from("abcdgpsx")
DECIDERS = st.sampled_from(["ada", "grace", "edsger", "linus"])
# What stays, in what order, and behind what; a checkpoint left out needs an approval.
REPLANS = ["a >> b >> d", "a >> g >> b, p", "a, b, c >> d", "a >> x, p >> s"]


class Run(RuleBasedStateMachine):
    """One run under random hands; refusals are part of the game, broken promises are not."""

    @initialize(drawing=st.sampled_from(DRAWINGS))
    def launch(self, drawing: str) -> None:
        self.team = runs.make_team(Path(tempfile.mkdtemp()))
        self.run = runs.launch(self.team, drawing, said_of(drawing))
        self.open: dict[str, Any] = {}
        self.finals = 0

    def act(self, call: Any, *arguments: Any, **named: Any) -> None:
        with contextlib.suppress(EngineError, PolicyError, InvalidPlan):
            call(*arguments, **named)

    @rule(times=st.integers(1, 3))
    def start_something(self, times: int) -> None:
        for _ in range(times):
            self.start_one()

    def start_one(self) -> None:
        if (assignment := runs.start(self.run)) is not None:
            assert assignment.step_key not in self.open, "one open attempt for each step"
            self.open[assignment.step_key] = assignment

    @precondition(lambda self: bool(self.open))
    @rule(outcome=st.sampled_from(OUTCOMES), data=st.data())
    def end_something(self, outcome: Any, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.open)))
        runs.finish(self.open.pop(key), outcome)

    @precondition(lambda self: "s" in self.open)
    @rule(number=st.integers(1, 2))
    def call_a_tool(self, number: int) -> None:
        """And wait for people, where the call needs them."""
        assignment = self.open["s"]
        call = ToolCall("run_command", {"command": "git push origin main"}, f"call-{number}")
        permission = change_run(
            self.run.pk, WORKER, lambda change: agent_gates.permit(change, "s", assignment.definition, call)
        )
        if permission.kind == "pending":
            runs.finish(self.open.pop("s"), Outcome("checkpoint", reason="policy", error="A call waits."))

    @rule(data=st.data(), by=DECIDERS, decision=st.sampled_from(["approve", "approve", "reject"]))
    def decide(self, data: st.DataObject, by: str, decision: str) -> None:
        states = runs.states(self.run)
        key = data.draw(st.sampled_from(sorted(key for key in states if states[key] == "awaiting_approval") or ["a"]))
        approval = runs.step_of(self.run, key).approval if key in states else None
        if approval is not None:
            actor = Actor.for_command(getattr(self.team, by), authenticated_at=timezone.now())
            self.act(
                deciding.decide_approval, self.run.pk, key,
                decision=decision, reason="I looked.", digest=approval.digest, by=actor,
            )  # fmt: skip

    @rule(key=KEYS, by=DECIDERS)
    def take_back(self, key: str, by: str) -> None:
        self.act(revoking.revoke_approval, self.run.pk, key, reason="Not now.", by=self.team.actor(by))

    @rule(key=KEYS, by=st.sampled_from(["ada", "grace"]))
    def step_over_a_denial(self, key: str, by: str) -> None:
        self.act(overriding.override_step, self.run.pk, key, reason="Needed.", by=self.team.actor(by))

    @rule(drawing=st.sampled_from(REPLANS), by=st.sampled_from(["ada", "grace"]), chance=st.integers(0, 3))
    def replan(self, drawing: str, by: str, chance: int) -> None:
        if chance:
            return
        steps = runs.make_plan(self.team, drawing, said_of(drawing))["steps"]
        self.act(replanning.replan_run, self.run.pk, steps, reason="Other end.", by=self.team.actor(by))

    @rule(verdict=st.sampled_from(["allow", "require_approval", "deny"]))
    def change_the_rules(self, verdict: str) -> None:
        write_rule(self.team.project, "of-b", RuleText("Now so.", "step.key == 'b'", verdict), by=Actor.for_shell())

    @rule(chance=st.integers(0, 3))
    def find_changed_files(self, chance: int) -> None:
        """Something else is in the worktree than the last step left; a step that would start waits for people."""
        if chance:
            return
        self.run.refresh_from_db()
        look = Look("f" * 40, "e" * 40, "d" * 40, self.run.last_sequence_no, changed={"files": [], "count": 0})
        with mock.patch.object(drift, "judge", lambda change, place, look: "drifted" if look else "same"):
            self.act(starting.start_step, self.run.pk, owner=runs.OWNER, look=look)

    @rule()
    def sweep(self) -> None:
        recovering.sweep()

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

    def teardown(self) -> None:
        if hasattr(self, "run"):
            found = list(invariants.check(invariants.Scope(run_id=self.run.pk)))
            assert found == []

    def _nothing_is_forgotten(self, states: dict[str, str]) -> None:
        if self.run.state in ("succeeded", "canceled"):
            assert set(states.values()) <= graph.SETTLED
        if self.run.state == "succeeded":
            assert not {"canceled"} & set(states.values())
        if self.run.control == "none" and self.run.state == "running":
            assert set(states.values()) & {"running", "ready", "retry_wait"}


def said_of(drawing: str) -> dict[str, dict[str, Any]]:
    return {key: value for key, value in SAID.items() if key in drawing and (key != "c" or "a" in drawing)}


@pytest.mark.django_db
def test_no_order_of_actions_breaks_a_promise() -> None:
    run_state_machine_as_test(
        Run,
        settings=settings(
            max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
