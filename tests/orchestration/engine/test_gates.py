"""Nothing risky starts before people who may decide have decided on exactly that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestration.engine import actions, controlling, launching, recovering, replanning
from orchestration.engine.errors import Unlaunchable, WrongState
from orchestration.engine.finishing import Left, finish_attempt
from orchestration.executors.base import Outcome
from orchestration.invariants import checking
from policy.errors import AlreadyDecided, NotAllowed, SelfApproval, StaleDigest
from policy.models import Approval, AuditRecord, Membership
from tests.orchestration import runs
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db
GATE = {"type": "approval"}
PUSH = {"command": "git push origin main"}


def test_a_checkpoint_blocks_until_it_is_approved(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> g >> b", {"g": GATE}))
    assert (run.state, run.state_reason) == ("blocked", "approval")
    runs.decide(team, run, "g")
    assert runs.settle(run).state == "succeeded"


def test_a_risky_command_is_gated_by_policy_though_its_author_wrote_no_checkpoint(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b", {"b": PUSH}))
    assert (run.state, run.state_reason) == ("blocked", "policy")
    assert runs.start(run) is None
    runs.decide(team, run, "b")
    assert runs.settle(run).state == "succeeded"
    approval = runs.step_of(run, "b").approval
    assert approval is not None
    assert approval.state == "consumed"


def test_a_command_that_rules_forbid_fails_and_the_audit_says_why(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b", {"b": {"command": "rm -rf /"}}))
    assert (run.state, runs.step_of(run, "b").state_reason) == ("failed", "policy_denied")
    record = AuditRecord.objects.get(action="step.denied", run=str(run.pk))
    assert record.reason


def test_whoever_launched_it_can_not_decide(team: Team) -> None:
    Membership.objects.filter(user=team.ada).update(role="admin")
    run = runs.launch(team, "g", {"g": GATE})
    with pytest.raises(SelfApproval):
        runs.decide(team, run, "g", by="ada")
    assert runs.states(run) == {"g": "awaiting_approval"}
    assert AuditRecord.objects.filter(run=str(run.pk), outcome="refused", actor=team.ada.username).count() == 1


def test_an_operator_can_not_decide(team: Team) -> None:
    Membership.objects.filter(user=team.edsger).update(role="operator")
    run = runs.launch(team, "g", {"g": GATE})
    with pytest.raises(NotAllowed):
        runs.decide(team, run, "g", by="edsger")


def test_a_quorum_wants_different_people(team: Team) -> None:
    run = runs.launch(team, "g >> a", {"g": {**GATE, "quorum": 2}})
    runs.decide(team, run, "g", by="grace")
    with pytest.raises(AlreadyDecided):
        runs.decide(team, run, "g", by="grace")
    assert runs.states(run)["g"] == "awaiting_approval"
    runs.decide(team, run, "g", by="edsger")
    assert runs.settle(run).state == "succeeded"


def test_a_decision_on_another_digest_is_refused_and_decides_nothing(team: Team) -> None:
    run = runs.launch(team, "g", {"g": GATE})
    with pytest.raises(StaleDigest):
        runs.decide(team, run, "g", digest="0" * 64)
    assert runs.states(run) == {"g": "awaiting_approval"}


def test_a_rejected_checkpoint_fails_with_the_reason_or_is_skipped_where_the_plan_says_so(team: Team) -> None:
    run = runs.launch(team, "g >> a", {"g": GATE})
    runs.decide(team, run, "g", decision="reject")
    step = runs.step_of(run, "g")
    assert (str(step.state), step.state_reason, step.error) == ("failed", "rejected", "I looked.")
    run.refresh_from_db()
    assert (run.state, run.state_reason) == ("failed", "rejected")


def test_a_rejection_may_skip(tmp_path_factory: pytest.TempPathFactory, team: Team) -> None:
    run = runs.launch(team, "g >> a", {"g": {**GATE, "on_reject": "skip"}})
    runs.decide(team, run, "g", decision="reject")
    assert runs.settle(run).state == "succeeded"
    assert runs.states(run)["g"] == "skipped"


def test_two_gates_are_released_one_by_one(team: Team) -> None:
    run = runs.launch(team, "g, h >> a", {"g": GATE, "h": GATE})
    runs.decide(team, run, "g")
    assert runs.states(run) == {"g": "succeeded", "h": "awaiting_approval", "a": "pending"}


def test_an_approval_lapses_when_the_workspace_changed_before_the_start(team: Team) -> None:
    run = runs.launch(team, "work, push", {"push": PUSH})
    first = runs.step_of(run, "push").approval
    assert first is not None
    runs.decide(team, run, "push")
    assignment = runs.start(run, "work")
    assert assignment is not None
    finish_attempt(assignment, runs.DONE, owner=runs.OWNER, left=Left(commit="c" * 40, tree="t" * 40), start_next=False)
    assert runs.start(run, "push") is None
    step = runs.step_of(run, "push")
    assert (str(step.state), step.state_reason) == ("awaiting_approval", "approval_lapsed")
    first.refresh_from_db()
    assert first.state == "superseded"
    lapsed = run.events.get(type="approval.lapsed")
    assert lapsed.data["changed"] == [{"path": "workspace.tree", "before": "", "after": "t" * 40}]
    runs.decide(team, run, "push")
    assert runs.settle(run).state == "succeeded"


def test_a_pending_request_is_renewed_when_the_workspace_changes(team: Team) -> None:
    run = runs.launch(team, "work, push", {"push": PUSH})
    shown = runs.step_of(run, "push").approval
    assignment = runs.start(run, "work")
    assert assignment is not None
    finish_attempt(assignment, runs.DONE, owner=runs.OWNER, left=Left(commit="c" * 40, tree="t" * 40), start_next=False)
    assert shown is not None
    with pytest.raises(StaleDigest):
        runs.decide(team, run, "push", digest=shown.digest)


def test_an_approver_who_lost_the_role_does_not_count_at_the_start(team: Team) -> None:
    run = runs.launch(team, "push", {"push": PUSH})
    runs.decide(team, run, "push", by="grace")
    Membership.objects.filter(user=team.grace).update(role="viewer")
    assert runs.start(run) is None
    assert runs.states(run) == {"push": "awaiting_approval"}


def test_an_approval_covers_the_automatic_retries_that_it_was_shown_with_and_no_manual_one(team: Team) -> None:
    retry = {"max_attempts": 2, "backoff_seconds": 0}
    run = runs.launch(team, "push", {"push": {**PUSH, "retry": retry}})
    runs.decide(team, run, "push")
    runs.settle(run, {"push": runs.BROKEN})
    recovering.sweep()
    assert runs.settle(run, {"push": runs.BROKEN}).state == "failed"
    assert runs.step_of(run, "push").attempt == 2
    controlling.retry_step(run.pk, "push", reason="Again.", by=team.actor("ada"))
    assert runs.states(run) == {"push": "awaiting_approval"}


def test_an_expired_request_stays_blocked_and_can_be_asked_again(team: Team) -> None:
    run = runs.launch(team, "g", {"g": {**GATE, "expires_after_seconds": 60}})
    make_old(run)
    recovering.sweep()
    run.refresh_from_db()
    assert (run.state, runs.step_of(run, "g").state_reason) == ("blocked", "approval_expired")
    allowed = actions.allowed_actions(run, ["awaiting_approval"])
    assert "approve" not in allowed
    assert "retry-step" in allowed
    with pytest.raises(WrongState):
        runs.decide(team, run, "g")
    controlling.retry_step(run.pk, "g", reason="Ask again.", by=team.actor("ada"))
    runs.decide(team, run, "g")
    assert runs.settle(run).state == "succeeded"


def test_an_expired_request_fails_where_the_plan_says_so(team: Team) -> None:
    run = runs.launch(team, "g", {"g": {**GATE, "expires_after_seconds": 60, "on_expire": "fail"}})
    make_old(run)
    recovering.sweep()
    run.refresh_from_db()
    assert (run.state, run.state_reason) == ("failed", "expired")


def test_a_gate_that_nobody_could_release_refuses_the_launch_and_names_itself(team: Team) -> None:
    with pytest.raises(Unlaunchable, match="'g'") as refused:
        runs.launch(team, "a >> g", {"g": {**GATE, "quorum": 3}})
    assert refused.value.code == "no_eligible_approver"
    Membership.objects.filter(project=team.project).exclude(user=team.ada).delete()
    with pytest.raises(Unlaunchable, match="'push'"):
        runs.launch(team, "push", {"push": PUSH})


def test_a_skip_of_a_checkpoint_waits_for_an_elevated_approval_of_somebody_else(team: Team) -> None:
    run = runs.launch(team, "g >> a", {"g": GATE})
    controlling.skip_step(run.pk, "g", reason="We met.", by=team.actor("grace"), evidence="minutes of the meeting")
    asked = runs.step_of(run, "g").approval
    assert asked is not None
    assert (asked.kind, asked.level) == ("skip", "elevated")
    with pytest.raises(SelfApproval):
        decide_elevated(team, run, "g", by="grace")
    decide_elevated(team, run, "g", by="edsger")
    assert runs.states(run)["g"] == "skipped"
    assert runs.settle(run).state == "succeeded"


def test_a_rejected_skip_puts_the_checkpoint_back_where_it_was(team: Team) -> None:
    run = runs.launch(team, "g >> a", {"g": GATE})
    controlling.skip_step(run.pk, "g", reason="We met.", by=team.actor("ada"))
    decide_elevated(team, run, "g", by="edsger", decision="reject")
    step = runs.step_of(run, "g")
    assert step.approval is not None
    assert (str(step.state), step.approval.kind, step.approval.state) == ("awaiting_approval", "checkpoint", "pending")


def test_a_replan_supersedes_requests_and_whoever_replanned_can_not_decide(team: Team) -> None:
    Membership.objects.filter(user=team.edsger).update(role="admin")
    run = runs.settle(runs.launch(team, "a >> g", {"g": GATE}))
    old = runs.step_of(run, "g").approval
    steps = runs.make_plan(team, "a >> g >> b", {"g": GATE})["steps"]
    replanning.replan_run(run.pk, steps, reason="One more.", by=team.actor("edsger"))
    assert old is not None
    old.refresh_from_db()
    assert old.state == "superseded"
    with pytest.raises(SelfApproval):
        runs.decide(team, run, "g", by="edsger")
    runs.decide(team, run, "g", by="grace")
    run = runs.settle(run)
    assert (run.state, run.generation) == ("succeeded", 2)
    assert runs.fold(run) == (run.state, runs.states(run))


def replan(team: Team, run: runs.WorkflowRun, drawing: str, more: dict[str, dict[str, object]] | None = None) -> None:
    steps = runs.make_plan(team, drawing, more)["steps"]
    replanning.replan_run(run.pk, steps, reason="Another way.", by=team.actor("ada"))
    run.refresh_from_db()


WEAKENED = {
    "checkpoint removed": ("a >> b", {}),
    "checkpoint changed": ("a >> g >> b", {"g": {**GATE, "approvers": ["role:operator"]}}),
    "step moved past it": ("a >> g, b", {"g": GATE}),
    "another step in its place": ("a >> g, other", {"g": GATE}),
    "a risky step brought in": ("a >> g >> b, risky", {"g": GATE, "risky": {"risk": "critical"}}),
}


@pytest.mark.parametrize("name", WEAKENED)
def test_a_replan_that_weakens_a_guard_waits_for_an_elevated_approval(team: Team, name: str) -> None:
    drawing, more = WEAKENED[name]
    run = runs.settle(runs.launch(team, "a >> g >> b", {"g": GATE}))
    replan(team, run, drawing, more)
    asked = runs.step_of(run, "g").approval
    assert asked is not None
    assert (asked.kind, asked.level, asked.state) == ("replan", "elevated", "pending")
    assert (run.version.number, run.state, run.state_reason) == (1, "blocked", "replan_asked")
    with pytest.raises(SelfApproval):
        decide_elevated(team, run, "g", by="ada")
    decide_elevated(team, run, "g", by="grace")
    run.refresh_from_db()
    assert run.version.number == 2
    assert runs.fold(run)[1] == runs.states(run)
    assert list(checking.check(checking.Scope(run_id=run.pk))) == []


HARMLESS = {
    "a step more behind it": ("a >> g >> b >> c", {"g": GATE}),
    "another step behind it": ("a >> g >> other", {"g": GATE}),
    "a better name": ("a >> g >> b", {"g": {**GATE, "name": "Look closely"}}),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_replan_that_weakens_nothing_is_done_at_once(team: Team, name: str) -> None:
    drawing, more = HARMLESS[name]
    run = runs.settle(runs.launch(team, "a >> g >> b", {"g": GATE}))
    replan(team, run, drawing, more)
    assert run.version.number == 2


def test_a_rejected_replan_leaves_the_plan_and_forms_the_gate_afresh(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> g >> b", {"g": GATE}))
    replan(team, run, "a >> b")
    decide_elevated(team, run, "g", by="grace", decision="reject")
    run.refresh_from_db()
    step = runs.step_of(run, "g")
    assert step.approval is not None
    assert (run.version.number, step.state, step.approval.kind) == (1, "awaiting_approval", "checkpoint")
    runs.decide(team, run, "g", by="edsger")
    assert runs.settle(run).state == "succeeded"
    assert list(checking.check(checking.Scope(run_id=run.pk))) == []


def test_a_replan_that_nobody_could_approve_is_refused(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> g >> b", {"g": GATE}))
    Membership.objects.filter(project=team.project).exclude(user=team.ada).delete()
    with pytest.raises(Unlaunchable):
        replan(team, run, "a >> b")


def test_a_workflow_launched_by_its_approver_leaves_the_decision_to_another(team: Team) -> None:
    workflow = runs.make_workflow(team, "g", {"g": GATE})
    run = launching.launch_run(workflow, inputs={}, by=team.actor("grace"))
    with pytest.raises(SelfApproval):
        runs.decide(team, run, "g", by="grace")
    runs.decide(team, run, "g", by="edsger")
    assert runs.settle(run).state == "succeeded"


def decide_elevated(team: Team, run: runs.WorkflowRun, key: str, *, by: str, decision: str = "approve") -> None:
    from django.utils import timezone

    person = getattr(team, by)
    person.last_login = timezone.now()
    person.save(update_fields=["last_login"])
    runs.decide(team, run, key, by=by, decision=decision)


def make_old(run: runs.WorkflowRun) -> None:
    for approval in Approval.objects.filter(subject__startswith="step:", state="pending"):
        assert approval.expires_at is not None
        Approval.objects.filter(pk=approval.pk).update(expires_at=approval.expires_at - timedelta(hours=1))
    from orchestration.engine.image import images

    images._kept.clear()


def test_a_gated_step_that_never_began_is_not_asked_about_again(team: Team) -> None:
    run = runs.launch(team, "push", {"push": PUSH})
    runs.decide(team, run, "push")
    assignment = runs.start(run)
    assert assignment is not None
    runs.finish(assignment, Outcome("never_started"))
    assert runs.settle(run).state == "succeeded"
