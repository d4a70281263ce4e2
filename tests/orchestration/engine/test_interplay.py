"""Where two features meet: what one of them takes for granted, the other may take away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration import invariants
from orchestration.engine import (
    agent_gates,
    controlling,
    deciding,
    finishing,
    overriding,
    recovering,
    replanning,
    revoking,
)
from orchestration.engine.door import change_run
from orchestration.engine.errors import WrongState
from orchestration.engine.starting import Assignment
from orchestration.executors.base import Outcome, ToolCall
from orchestration.models import WorkflowRun
from policy import profiles
from policy.actors import Actor
from policy.errors import SelfApproval
from policy.models import Approval
from policy.rulebook import RuleText, write_rule
from tests.orchestration import runs, stories
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db
SHELL = Actor.for_shell()
PUSH = {"command": "git push origin main"}
PUSH_CI = {**PUSH, "env_profile": "ci"}
ASKED = Outcome("checkpoint", reason="policy", error="A call waits.")
CALLING = {**stories.AGENT, "tools": ["read_file", "run_command"]}


def clean(run: WorkflowRun) -> bool:
    return [str(breach) for breach in invariants.check(invariants.Scope(run_id=run.pk))] == []


def signed_in(team: Team, name: str) -> Actor:
    return Actor.for_command(getattr(team, name), authenticated_at=timezone.now())


def decide(run: WorkflowRun, key: str, by: Actor, decision: str = "approve") -> None:
    approval = runs.step_of(run, key).approval
    assert approval is not None
    deciding.decide_approval(run.pk, key, decision=decision, reason="I looked.", digest=approval.digest, by=by)


def waiting_agent(team: Team) -> WorkflowRun:
    """An agent that stopped at a call which somebody has to allow, in front of a step that has not begun."""
    run, assignment = asking_agent(team)
    runs.finish(assignment, ASKED)
    assert runs.states(run)["a"] == "awaiting_approval"
    return run


def asking_agent(team: Team) -> tuple[WorkflowRun, Assignment]:
    run = runs.launch(team, "a >> b", {"a": CALLING})
    assignment = runs.start(run)
    assert assignment is not None
    call = ToolCall("run_command", {"command": "git push origin main"}, "call-1")
    worker = Actor.system("worker")
    change_run(run.pk, worker, lambda change: agent_gates.permit(change, "a", assignment.definition, call))
    return run, assignment


def test_who_replans_does_not_decide_about_a_call_that_the_kept_agent_waits_for(team: Team) -> None:
    run = waiting_agent(team)
    steps = runs.make_plan(team, "a >> c", {"a": CALLING})["steps"]
    replanning.replan_run(run.pk, steps, reason="Other end.", by=team.actor("grace"))
    with pytest.raises(SelfApproval):
        decide(run, "a", team.actor("grace"))
    decide(run, "a", team.actor("edsger"))
    assert clean(run)


# an environment profile that is gone


@pytest.fixture
def profile(team: Team) -> None:
    profiles.set_profile(team.project, "ci", env={"REMOTE": "origin"}, secrets=[], by=SHELL)


def remove_profile(team: Team) -> None:
    profiles.remove_profile(team.project, "ci", SHELL)


@pytest.mark.usefixtures("profile")
def test_work_is_finished_though_another_step_waits_with_a_profile_that_is_gone(team: Team) -> None:
    run = runs.launch(team, "a, push >> z", {"push": PUSH_CI})
    assignment = runs.start(run, "a")
    assert assignment is not None
    remove_profile(team)
    left = finishing.Left(commit="c" * 40, tree="d" * 40)
    finishing.finish_attempt(assignment, runs.DONE, owner=runs.OWNER, left=left, start_next=False)
    assert runs.states(run) == {"a": "succeeded", "push": "awaiting_approval", "z": "pending"}
    runs.decide(team, run, "push")
    assert runs.start(run) is None
    step = runs.step_of(run, "push")
    assert (step.state, step.state_reason) == ("failed", "input_missing")
    assert clean(run)


@pytest.mark.usefixtures("profile")
def test_a_step_whose_profile_is_gone_can_be_skipped_with_an_approval(team: Team) -> None:
    run = runs.launch(team, "push >> z", {"push": PUSH_CI})
    remove_profile(team)
    controlling.skip_step(run.pk, "push", reason="By hand.", by=team.actor("ada"))
    decide(run, "push", signed_in(team, "grace"))
    assert runs.states(run)["push"] == "skipped"
    assert clean(run)


@pytest.mark.usefixtures("profile")
def test_an_approval_is_taken_back_though_its_profile_is_gone(team: Team) -> None:
    run = runs.launch(team, "push >> z", {"push": PUSH_CI})
    runs.decide(team, run, "push")
    remove_profile(team)
    revoking.revoke_approval(run.pk, "push", reason="Not today.", by=team.actor("edsger"))
    assert runs.start(run) is None
    assert runs.states(run)["push"] == "failed"
    assert clean(run)


@pytest.mark.usefixtures("profile")
def test_stepping_over_a_denial_without_the_profile_is_refused_with_a_sentence(team: Team) -> None:
    run = runs.launch(team, "b", {"b": {"command": "rm -rf /", "env_profile": "ci"}})
    remove_profile(team)
    with pytest.raises(WrongState, match="no environment profile 'ci'"):
        overriding.override_step(run.pk, "b", reason="Needed.", by=team.actor("ada"))
    assert clean(run)


@pytest.mark.usefixtures("profile")
def test_a_replan_whose_profile_is_gone_is_refused_to_whoever_approves_it(team: Team) -> None:
    run = runs.launch(team, "a >> g >> b", {"g": stories.GATE})
    steps = runs.make_plan(team, "a >> b", {"b": {"env_profile": "ci"}})["steps"]
    replanning.replan_run(run.pk, steps, reason="No gate.", by=team.actor("ada"))
    remove_profile(team)
    with pytest.raises(WrongState, match="no environment profile 'ci'"):
        decide(run, "a", signed_in(team, "grace"))
    decide(run, "a", signed_in(team, "grace"), "reject")
    assert runs.settle(run).state == "blocked"
    assert clean(run)


def test_a_replan_is_not_done_for_somebody_who_may_not_replan_any_more(team: Team) -> None:
    from policy.models import Membership

    run = runs.launch(team, "a >> g >> b", {"g": stories.GATE})
    steps = runs.make_plan(team, "a >> b")["steps"]
    replanning.replan_run(run.pk, steps, reason="No gate.", by=team.actor("ada"))
    Membership.objects.filter(user=team.ada).update(role="viewer")
    with pytest.raises(WrongState):
        decide(run, "a", signed_in(team, "grace"))
    decide(run, "a", signed_in(team, "grace"), "reject")
    assert clean(run)


# a pause that is lifted on the way


def test_a_request_that_is_asked_again_lifts_the_pause_in_the_history_too(team: Team) -> None:
    run = runs.launch(team, "g >> a", {"g": {**stories.GATE, "expires_after_seconds": 60}})
    Approval.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    recovering.sweep()
    controlling.pause_run(run.pk, reason="Lunch.", by=team.actor("ada"))
    controlling.retry_step(run.pk, "g", reason="Back.", by=team.actor("ada"))
    runs.decide(team, run, "g")
    assert runs.settle(run).state == "succeeded"
    assert clean(run)


def test_a_resume_of_one_step_lifts_the_pause_in_the_history_too(team: Team) -> None:
    run = runs.launch(team, "a >> b")
    controlling.pause_run(run.pk, reason="Lunch.", by=team.actor("ada"))
    controlling.resume_run(run.pk, step_key="a", reason="Back.", by=team.actor("ada"))
    assert runs.settle(run).state == "succeeded"
    assert clean(run)


# approvals that something else ended


def test_a_denial_at_the_start_takes_the_approval_with_it(team: Team) -> None:
    run = runs.launch(team, "push", {"push": PUSH})
    runs.decide(team, run, "push")
    write_rule(team.project, "no", RuleText("Not any more.", "true", "deny"), by=SHELL)
    assert runs.start(run) is None
    assert list(Approval.objects.values_list("state", flat=True)) == ["superseded"]
    assert clean(run)


@pytest.mark.parametrize("outcome", [runs.DONE, runs.BROKEN])
def test_a_call_that_its_agent_never_comes_back_to_waits_for_nobody(team: Team, outcome: Outcome) -> None:
    run, assignment = asking_agent(team)
    runs.finish(assignment, outcome)
    assert list(Approval.objects.values_list("state", flat=True)) == ["superseded"]
    assert clean(run)


def test_how_an_agent_ended_that_was_lost_leaves_no_call_to_decide(team: Team) -> None:
    run, assignment = asking_agent(team)
    runs.finish(assignment, Outcome("interrupted", group_empty=False))
    controlling.resolve_step(run.pk, "a", outcome="succeeded", reason="I looked.", by=team.actor("grace"))
    assert not Approval.objects.filter(state="pending").exists()
    assert clean(run)


def test_what_started_before_the_rules_became_stricter_is_not_blamed_after_a_replan(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b", {"b": {"when": "false"}}), {"a": runs.BROKEN})
    write_rule(team.project, "no", RuleText("Not any more.", "step.key == 'a'", "deny"), by=SHELL)
    steps = runs.make_plan(team, "a >> c")["steps"]
    replanning.replan_run(run.pk, steps, reason="Other end.", by=team.actor("ada"))
    assert clean(run)
