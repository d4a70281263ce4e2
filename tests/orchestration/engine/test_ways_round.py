"""Ways round an approval that somebody might try, and that lead nowhere; and the two that are meant to exist."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration import invariants
from orchestration.engine import controlling, deciding, overriding, recovering, replanning, revoking
from orchestration.engine.errors import WrongState
from orchestration.models import WorkflowRun
from policy import members, tokens
from policy.actors import Actor
from policy.errors import (
    HumanPresenceRequired,
    NotAllowed,
    NotAnApprover,
    NotVisible,
    RecentSignInRequired,
    SelfApproval,
    StaleDigest,
)
from policy.models import Approval, AuditRecord, Membership
from policy.rulebook import RuleText, write_rule
from tests.factories import UserFactory, member
from tests.orchestration import runs, stories
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db
PUSH = {"push": {"command": "git push origin main"}}
TWICE = {"push": {**PUSH["push"], "retry": {"max_attempts": 2, "backoff_seconds": 0}}}
DENIED = {"b": {"command": "rm -rf /"}}


def signed_in(team: Team, name: str) -> Actor:
    person = getattr(team, name)
    person.last_login = timezone.now()
    person.save(update_fields=["last_login"])
    return Actor.for_command(person)


def decide(run: WorkflowRun, key: str, by: Actor, decision: str = "approve") -> None:
    approval = runs.step_of(run, key).approval
    assert approval is not None
    deciding.decide_approval(run.pk, key, decision=decision, reason="I looked.", digest=approval.digest, by=by)


def add_rule(team: Team, condition: str, verdict: str) -> None:
    write_rule(team.project, "stricter", RuleText("Stricter now.", condition, verdict), by=Actor.for_shell())


def is_clean(run: WorkflowRun) -> bool:
    return not list(invariants.check(invariants.Scope(run_id=run.pk)))


# a second start on one approval


def retried(team: Team) -> WorkflowRun:
    """Approved, started, failed, and due again by itself."""
    run = runs.launch(team, "push", TWICE)
    runs.decide(team, run, "push")
    runs.settle(run, {"push": runs.BROKEN})
    recovering.sweep()
    run.refresh_from_db()
    return run


def test_an_automatic_retry_is_covered_while_nothing_has_changed(team: Team) -> None:
    assert runs.settle(retried(team)).state == "succeeded"


def test_a_retry_is_asked_about_again_when_the_rules_have_become_stricter(team: Team) -> None:
    run = retried(team)
    add_rule(team, "step.key == 'push'", "require_elevated_approval")
    assert runs.start(run) is None
    assert runs.step_of(run, "push").approval.level == "elevated"
    assert runs.states(run) == {"push": "awaiting_approval"}


def test_a_retry_is_denied_when_the_rules_deny_it_by_now(team: Team) -> None:
    run = retried(team)
    add_rule(team, "step.key == 'push'", "deny")
    assert runs.start(run) is None
    assert runs.states(run) == {"push": "failed"}


def test_a_retry_is_asked_about_again_when_the_approver_lost_the_right(team: Team) -> None:
    run = retried(team)
    Membership.objects.filter(user=team.grace).delete()
    assert runs.start(run) is None
    assert runs.states(run) == {"push": "awaiting_approval"}


# stepping aside


def test_a_skip_takes_the_people_whom_the_gate_takes(team: Team) -> None:
    admin = member(team.project, "admin", last_login=timezone.now())
    gate = {"g": {"type": "approval", "approvers": ["role:admin"], "quorum": 2}}
    second = member(team.project, "admin", last_login=timezone.now())
    run = runs.launch(team, "g >> a", gate)
    controlling.skip_step(run.pk, "g", reason="We are late.", by=team.actor("ada"))
    with pytest.raises(NotAnApprover):
        decide(run, "g", signed_in(team, "grace"))
    decide(run, "g", Actor.for_command(admin))
    assert runs.states(run)["g"] == "awaiting_approval"
    decide(run, "g", Actor.for_command(second))
    assert runs.states(run)["g"] == "skipped"


def test_who_asks_for_the_skip_does_not_decide_it(team: Team) -> None:
    run = runs.launch(team, "g >> a", {"g": {"type": "approval"}})
    controlling.skip_step(run.pk, "g", reason="We are late.", by=team.actor("grace"))
    with pytest.raises(SelfApproval):
        decide(run, "g", signed_in(team, "grace"))


def test_the_step_in_front_is_skipped_and_the_gate_forms_all_the_same(team: Team) -> None:
    run = runs.launch(team, "build >> push", PUSH)
    controlling.skip_step(run.pk, "build", reason="Built already.", by=team.actor("ada"))
    assert runs.states(run) == {"build": "skipped", "push": "awaiting_approval"}


def test_a_replan_under_another_name_needs_an_approval_and_is_then_gated_anew(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> push", PUSH))
    runs.decide(team, run, "push")
    steps = runs.make_plan(team, "a >> harmless", {"harmless": PUSH["push"]})["steps"]
    replanning.replan_run(run.pk, steps, reason="Renamed.", by=team.actor("ada"))
    assert runs.states(run) == {"a": "succeeded", "push": "awaiting_approval"}
    decide(run, "push", signed_in(team, "grace"))
    assert runs.states(run) == {"a": "succeeded", "harmless": "awaiting_approval"}
    assert runs.start(run) is None


def test_what_hides_in_a_script_is_not_understood_and_so_is_asked_about(team: Team) -> None:
    run = runs.launch(team, "a", {"a": {"command": "bash -c 'git push --force origin main'"}})
    assert runs.states(run) == {"a": "awaiting_approval"}


def test_a_plan_names_nobody_in_place_of_whom_a_rule_names(team: Team) -> None:
    boss = member(team.project, "admin")
    rule = RuleText("Admins look.", "step.type == 'approval'", "require_approval", approvers=("role:admin",))
    write_rule(team.project, "admins", rule, by=Actor.for_shell())
    run = runs.launch(team, "g", {"g": {"type": "approval", "approvers": [f"user:{team.linus.username}"]}})
    with pytest.raises(NotAnApprover):
        decide(run, "g", team.actor("linus"))
    decide(run, "g", Actor.for_command(boss))
    assert runs.states(run) == {"g": "succeeded"}


# words that weigh as much as a decision


@pytest.fixture
def lost(team: Team) -> WorkflowRun:
    """Risky, approved, and nobody knows how it ended."""
    run = runs.launch(team, "push", PUSH)
    runs.decide(team, run, "push")
    return runs.settle(run, {"push": runs.LOST})


def resolve(run: WorkflowRun, by: Actor) -> None:
    controlling.resolve_step(run.pk, "push", outcome="succeeded", reason="I saw it.", by=by)


def test_how_a_risky_step_ended_is_not_said_by_who_asked_for_it_under_any_account(
    team: Team, lost: WorkflowRun
) -> None:
    second_account = member(team.project, "approver", email=team.ada.email.upper())
    for by in (Actor.for_command(second_account), team.actor("ada")):
        with pytest.raises(NotAllowed):
            resolve(lost, by)
    resolve(lost, team.actor("edsger"))


def test_how_a_risky_step_ended_is_not_said_by_a_token_for_scripts(team: Team, lost: WorkflowRun) -> None:
    token, _ = tokens.create(team.grace)
    with pytest.raises(HumanPresenceRequired):
        resolve(lost, Actor.for_token(token))


def test_who_replans_does_not_decide_what_stays_open_in_the_plan(team: Team) -> None:
    run = runs.launch(team, "a >> b", {"a": stories.AGENT})
    assignment = runs.start(run)
    assert assignment is not None
    kept = runs.step_of(run, "a")
    runs.finish(assignment, runs.BROKEN)
    approval = Approval.objects.create(
        project=team.project, subject=f"step:{kept.pk}", call_id="1", title="x", kind="policy", digest="d" * 64,
        approvers=["role:approver"], excluded=[team.ada.pk], requested_at=timezone.now(),
    )  # fmt: skip
    steps = runs.make_plan(team, "a >> c", {"a": stories.AGENT})["steps"]
    replanning.replan_run(run.pk, steps, reason="Other end.", by=team.actor("grace"))
    approval.refresh_from_db()
    assert team.grace.pk in approval.excluded


# taking back


@pytest.fixture
def approved(team: Team) -> WorkflowRun:
    """Approved and not started."""
    run = runs.launch(team, "push", PUSH)
    runs.decide(team, run, "push")
    assert runs.states(run) == {"push": "ready"}
    return run


def test_an_approval_is_taken_back_before_it_is_used(team: Team, approved: WorkflowRun) -> None:
    revoking.revoke_approval(approved.pk, "push", reason="Not today.", by=team.actor("edsger"))
    assert runs.start(approved) is None
    assert runs.states(approved) == {"push": "awaiting_approval"}
    assert list(Approval.objects.order_by("requested_at").values_list("state", flat=True)) == ["revoked", "pending"]
    assert AuditRecord.objects.filter(action="approval.revoked", reason="Not today.").count() == 1
    runs.decide(team, approved, "push")
    assert runs.settle(approved).state == "succeeded"
    assert is_clean(approved)


def test_what_has_started_is_not_taken_back(team: Team, approved: WorkflowRun) -> None:
    runs.start(approved)
    with pytest.raises(WrongState):
        revoking.revoke_approval(approved.pk, "push", reason="Too late.", by=team.actor("grace"))


def test_operators_strangers_and_scripts_take_nothing_back(team: Team, approved: WorkflowRun) -> None:
    token, _ = tokens.create(team.grace)
    refusals: list[tuple[Actor, type[Exception]]] = [
        (team.actor("ada"), NotAllowed),
        (Actor.for_command(UserFactory()), NotVisible),
        (Actor.for_token(token), HumanPresenceRequired),
    ]
    for by, refusal in refusals:
        with pytest.raises(refusal):
            revoking.revoke_approval(approved.pk, "push", reason="No.", by=by)
    assert runs.states(approved) == {"push": "ready"}


# stepping over a denial


@pytest.fixture
def denied(team: Team) -> WorkflowRun:
    run = runs.settle(runs.launch(team, "a >> b", DENIED))
    assert run.state_reason == "policy_denied"
    return run


def override(team: Team, run: WorkflowRun, by: str = "ada") -> None:
    overriding.override_step(run.pk, "b", reason="The outage needs it.", by=team.actor(by))


def test_a_denied_step_runs_once_when_another_person_agrees_at_the_elevated_level(
    team: Team, denied: WorkflowRun
) -> None:
    override(team, denied)
    with pytest.raises(SelfApproval):
        decide(denied, "b", signed_in(team, "ada"))
    with pytest.raises(RecentSignInRequired):
        decide(denied, "b", team.actor("grace"))
    decide(denied, "b", signed_in(team, "grace"))
    assert runs.settle(denied, {"b": runs.BROKEN}).state == "failed"
    assert is_clean(denied)
    actions = set(AuditRecord.objects.filter(run=str(denied.pk), step="b").values_list("action", flat=True))
    assert {"step.override_asked", "approval.approve", "approval.consumed"} <= actions
    controlling.retry_step(denied.pk, "b", reason="Again.", by=team.actor("ada"))
    assert runs.states(denied)["b"] == "failed"


def test_a_refused_override_leaves_the_step_denied(team: Team, denied: WorkflowRun) -> None:
    override(team, denied)
    decide(denied, "b", signed_in(team, "grace"), "reject")
    step = runs.step_of(denied, "b")
    assert (step.state, step.state_reason) == ("failed", "policy_denied")
    assert is_clean(denied)


@pytest.mark.parametrize("is_decided", [False, True])
def test_an_override_is_over_after_an_hour(team: Team, denied: WorkflowRun, is_decided: bool) -> None:
    override(team, denied)
    if is_decided:
        decide(denied, "b", signed_in(team, "grace"))
    Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    recovering.sweep()
    assert runs.start(denied) is None
    assert runs.states(denied)["b"] == "failed"


def test_an_override_does_not_outlive_a_change_of_the_rules_or_of_the_approver(team: Team, denied: WorkflowRun) -> None:
    override(team, denied)
    decide(denied, "b", signed_in(team, "grace"))
    Membership.objects.filter(user=team.grace).update(role="operator")
    assert runs.start(denied) is None
    assert runs.states(denied)["b"] == "failed"
    override(team, denied)
    decide(denied, "b", signed_in(team, "edsger"))
    add_rule(team, "true", "require_approval")
    assert runs.start(denied) is None
    assert runs.states(denied)["b"] == "failed"


@pytest.mark.parametrize("make", [stories.failed, stories.waiting, stories.plain])
def test_only_a_denied_step_is_overridden(team: Team, make: Any) -> None:
    run = make(team)
    with pytest.raises(WrongState):
        override(team, run)


def test_a_stale_digest_decides_no_override(team: Team, denied: WorkflowRun) -> None:
    override(team, denied)
    with pytest.raises(StaleDigest):
        deciding.decide_approval(
            denied.pk, "b", decision="approve", reason="Yes.", digest="0" * 64, by=signed_in(team, "grace")
        )


def test_a_role_given_and_taken_around_a_decision_leaves_its_trace(team: Team) -> None:
    """Who was made an approver a moment ago decides, and an alert says so; of the other there is nothing to say."""
    run = runs.launch(team, "g", {"g": {"type": "approval", "quorum": 2}})
    newcomer = member(team.project, "viewer")
    members.grant(team.project, newcomer, "approver", by=Actor.for_shell())
    for by in (team.actor("grace"), Actor.for_command(newcomer)):
        decide(run, "g", by)
    alert = AuditRecord.objects.get(action="alert.approved_soon_after_grant")
    assert (alert.run, alert.step, alert.actor) == (str(run.pk), "g", newcomer.username)
    assert is_clean(run)
