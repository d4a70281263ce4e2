"""Every pair of a step's state and an action: the allowed happens, the rest is refused and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestration.engine import controlling
from orchestration.engine.errors import LostAttempt, WrongState
from orchestration.executors.base import Outcome
from orchestration.models import WorkflowRun
from policy.errors import PolicyError
from tests.orchestration import runs
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db
WAITING = Outcome("failed", reason="exit", error="Not yet.")
GATE = {"type": "approval"}
RETRYING = {"retry": {"max_attempts": 3, "backoff_seconds": 600}}


def pending(team: Team) -> WorkflowRun:
    return runs.launch(team, "first >> x >> last")


def ready(team: Team) -> WorkflowRun:
    return runs.launch(team, "x >> last")


def awaiting_approval(team: Team) -> WorkflowRun:
    return runs.launch(team, "x >> last", {"x": GATE})


def running(team: Team) -> WorkflowRun:
    run = ready(team)
    runs.start(run, "x")
    return run


def retry_wait(team: Team) -> WorkflowRun:
    return runs.settle(runs.launch(team, "x >> last", {"x": RETRYING}), {"x": WAITING})


def interrupted(team: Team) -> WorkflowRun:
    return runs.settle(ready(team), {"x": runs.LOST})


def failed(team: Team) -> WorkflowRun:
    return runs.settle(ready(team), {"x": runs.BROKEN})


def succeeded(team: Team) -> WorkflowRun:
    run = ready(team)
    assignment = runs.start(run, "x")
    assert assignment is not None
    runs.finish(assignment)
    return run


def skipped(team: Team) -> WorkflowRun:
    run = ready(team)
    controlling.skip_step(run.pk, "x", reason="Not needed.", by=team.actor("ada"))
    return run


def canceled(team: Team) -> WorkflowRun:
    run = ready(team)
    controlling.cancel_run(run.pk, reason="Changed our mind.", by=team.actor("ada"))
    return run


def start(team: Team, run: WorkflowRun) -> None:
    if runs.start(run, "x") is None:
        raise WrongState("nothing to start", state=runs.states(run)["x"])


def complete(team: Team, run: WorkflowRun) -> None:
    attempt = runs.step_of(run, "x").execution_run
    if attempt is None:
        raise LostAttempt
    runs.finish(assignment_of(run, "x"))


def approve(team: Team, run: WorkflowRun) -> None:
    runs.decide(team, run, "x", digest=digest_or_none(run))


def reject(team: Team, run: WorkflowRun) -> None:
    runs.decide(team, run, "x", decision="reject", digest=digest_or_none(run))


def retry(team: Team, run: WorkflowRun) -> None:
    controlling.retry_step(run.pk, "x", reason="Again.", by=team.actor("ada"))


def skip(team: Team, run: WorkflowRun) -> None:
    controlling.skip_step(run.pk, "x", reason="Not needed.", by=team.actor("ada"))


def resolve(team: Team, run: WorkflowRun) -> None:
    controlling.resolve_step(run.pk, "x", outcome="succeeded", reason="I saw it.", by=team.actor("ada"))


def cancel(team: Team, run: WorkflowRun) -> None:
    controlling.cancel_run(run.pk, reason="Stop.", by=team.actor("ada"))


def assignment_of(run: WorkflowRun, key: str) -> runs.Assignment:
    from orchestration.engine import recovering

    step = runs.step_of(run, key)
    assert step.execution_run is not None
    orphan = recovering.Orphan(step.execution_run.pk, run.pk, key, step.execution_run.owner)
    taken = recovering.take_up(orphan, owner=runs.OWNER)
    if taken is None:
        raise LostAttempt
    return taken


def digest_or_none(run: WorkflowRun) -> str:
    approval = runs.step_of(run, "x").approval
    return approval.digest if approval else "none"


STATES: list[Callable[[Team], WorkflowRun]] = [
    pending, ready, awaiting_approval, running, retry_wait, interrupted, failed, succeeded, skipped, canceled,
]  # fmt: skip
ACTIONS: list[Callable[[Team, WorkflowRun], None]] = [start, complete, approve, reject, retry, skip, resolve, cancel]
ALLOWED = {
    ("pending", "skip"): "skipped",
    ("pending", "cancel"): "canceled",
    ("ready", "start"): "running",
    ("ready", "skip"): "skipped",
    ("ready", "cancel"): "canceled",
    ("awaiting_approval", "approve"): "succeeded",
    ("awaiting_approval", "reject"): "failed",
    ("awaiting_approval", "skip"): "awaiting_approval",  # the skip of a checkpoint waits for a decision of its own
    ("awaiting_approval", "cancel"): "canceled",
    ("running", "complete"): "succeeded",
    ("running", "cancel"): "running",  # until its work has ended
    ("retry_wait", "retry"): "ready",
    ("retry_wait", "skip"): "skipped",
    ("retry_wait", "cancel"): "canceled",
    ("interrupted", "retry"): "ready",
    ("interrupted", "skip"): "skipped",
    ("interrupted", "resolve"): "succeeded",
    ("interrupted", "cancel"): "canceled",
    ("failed", "retry"): "ready",
    ("failed", "skip"): "skipped",
    ("failed", "cancel"): "failed",
    ("succeeded", "cancel"): "succeeded",
    ("skipped", "cancel"): "skipped",
    ("canceled", "cancel"): "canceled",  # asking twice is no error
}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_each_action_in_each_state_is_in_the_table_or_is_refused(
    team: Team, state: Callable[[Team], WorkflowRun], action: Callable[[Team, WorkflowRun], None]
) -> None:
    run = state(team)
    assert runs.states(run)["x"] == state.__name__
    before = (runs.states(run), run.events.count())
    expected = ALLOWED.get((state.__name__, action.__name__))
    if expected is None:
        with pytest.raises((WrongState, LostAttempt, PolicyError)):
            action(team, run)
        assert (runs.states(run), run.events.count()) == before
        return
    action(team, run)
    run.refresh_from_db()
    assert runs.states(run)["x"] == expected
    assert runs.fold(run) == (run.state, runs.states(run))


def test_the_table_names_only_states_and_actions_that_are_tried() -> None:
    tried = {(state.__name__, action.__name__) for state in STATES for action in ACTIONS}
    assert set(ALLOWED) <= tried
