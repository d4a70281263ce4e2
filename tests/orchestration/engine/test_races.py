"""Two at the same moment: whoever commits first wins, the other is told so, and the history adds up either way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from orchestration import invariants
from orchestration.engine import controlling, deciding, revoking
from orchestration.engine.errors import WrongState
from orchestration.models import WorkflowRun
from policy import members
from policy.actors import Actor
from policy.errors import PolicyError
from policy.models import Approval, Membership
from policy.rulebook import RuleText, write_rule
from tests.orchestration import runs
from tests.orchestration.repositories_of_tests import make_repository
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db(transaction=True)
TRIES = 6
PUSH = {"push": {"command": "git push origin main"}}
Deed = Callable[[Team, WorkflowRun, Approval], object]


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(make_repository(tmp_path / "repository"), max_active_runs=100)


def decides(name: str, decision: str = "approve") -> Deed:
    def deed(team: Team, run: WorkflowRun, approval: Approval) -> object:
        return deciding.decide_approval(
            run.pk, "push", decision=decision, reason="I looked.", digest=approval.digest, by=team.actor(name)
        )

    return deed


def cancels(team: Team, run: WorkflowRun, approval: Approval) -> object:
    return controlling.cancel_run(run.pk, reason="Stop.", by=team.actor("ada"))


def skips(team: Team, run: WorkflowRun, approval: Approval) -> object:
    return controlling.skip_step(run.pk, "push", reason="Not needed.", by=team.actor("ada"))


def loses_the_role(team: Team, run: WorkflowRun, approval: Approval) -> object:
    return members.remove(Membership.objects.get(project=team.project, user=team.grace), by=Actor.for_shell())


def changes_the_rules(team: Team, run: WorkflowRun, approval: Approval) -> object:
    return forbid(team, enabled=True)


def forbid(team: Team, *, enabled: bool) -> object:
    text = RuleText("Not any more.", "step.key == 'push'", "deny", risk="critical", enabled=enabled)
    return write_rule(team.project, "no-push", text, by=Actor.for_shell())


def takes_it_back(team: Team, run: WorkflowRun, approval: Approval) -> object:
    return revoking.revoke_approval(run.pk, "push", reason="Not today.", by=team.actor("edsger"))


def starts(team: Team, run: WorkflowRun, approval: Approval) -> object:
    return runs.start(run, "push")


def at_once(team: Team, run: WorkflowRun, *deeds: Deed) -> Approval:
    """Refusals are half of the story; anything else is a fault."""
    approval = runs.step_of(run, "push").approval
    assert approval is not None
    ready, faults = threading.Barrier(len(deeds)), []

    def act(deed: Deed) -> None:
        ready.wait()
        try:
            deed(team, run, approval)
        except (PolicyError, WrongState):
            pass
        except BaseException as fault:  # noqa: BLE001
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    approval.refresh_from_db()
    return approval


PAIRS = {
    "approve, reject": (decides("grace"), decides("edsger", "reject")),
    "approve twice": (decides("grace"), decides("grace")),
    "approve, cancel": (decides("grace"), cancels),
    "approve, skip": (decides("grace"), skips),
    "approve, role gone": (decides("grace"), loses_the_role),
    "approve, rules changed": (decides("grace"), changes_the_rules),
}


NEVER_STARTS = ("approve, role gone", "approve, rules changed", "approve, cancel")


@pytest.mark.parametrize("pair", PAIRS)
def test_a_decision_and_something_else_at_the_same_moment(team: Team, pair: str) -> None:
    for number in range(TRIES):
        run = runs.launch(team, "push", PUSH)
        at_once(team, run, *(PAIRS[pair] if number % 2 else reversed(PAIRS[pair])))
        holds(run, pair)
        members.grant(team.project, team.grace, "approver", by=Actor.for_shell())
        if pair == "approve, rules changed":
            forbid(team, enabled=False)


def holds(run: WorkflowRun, pair: str) -> None:
    """What started was allowed by somebody who still may, under the rules of that moment; the record is whole."""
    started = runs.start(run, "push")
    assert started is None or pair not in NEVER_STARTS
    if started is not None:
        runs.finish(started)
    assert Approval.objects.filter(subject=f"step:{runs.step_of(run, 'push').pk}", state="consumed").count() <= 1
    assert list(invariants.check(invariants.Scope(run_id=run.pk))) == []


def test_taking_back_and_starting_at_the_same_moment(team: Team) -> None:
    for number in range(TRIES):
        run = runs.launch(team, "push", PUSH)
        runs.decide(team, run, "push")
        approval = at_once(team, run, *((takes_it_back, starts) if number % 2 else (starts, takes_it_back)))
        is_running = runs.states(run)["push"] == "running"
        assert approval.state == ("consumed" if is_running else "revoked")
        assert list(invariants.check(invariants.Scope(run_id=run.pk))) == []
