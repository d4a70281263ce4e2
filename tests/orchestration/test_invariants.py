"""What `check_runs` proves: runs that the engine made are clean, and each doctored row is found."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from orchestration import invariants
from orchestration.models import (
    Artifact,
    Event,
    LogChunk,
    StepRun,
    WorkflowRun,
)
from tests.orchestration import doctoring, runs, stories
from tests.orchestration.runs import Team
from tests.policy.tampering import execute

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(tmp_path: Path, settings) -> Team:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.ARTIFACTS_DIR = settings.DATA_DIR / "artifacts"
    return runs.make_team(tmp_path, max_active_runs=1000)


def found(scope: invariants.Scope | None = None) -> list[invariants.Breach]:
    with invariants.read_snapshot():
        return list(invariants.check(scope or invariants.Scope()))


@pytest.mark.parametrize("story", stories.STORIES, ids=lambda story: story.__name__)
def test_a_run_made_by_the_engine_is_clean(team: Team, story: Callable[[Team], WorkflowRun]) -> None:
    story(team)

    scope = invariants.Scope()
    assert found(scope) == []
    assert (scope.runs, scope.events) == (WorkflowRun.objects.count(), Event.objects.count())


@dataclass(frozen=True)
class Doctored:
    """A story, and what somebody did to the database behind the product's back."""

    invariant: int
    story: Callable[[Team], WorkflowRun]
    doctor: Callable[[WorkflowRun, Team], object]
    severity: str = "error"


LONG_AGO = timezone.now() - timedelta(hours=1)
CASES = [
    Doctored(1, stories.plain, doctoring.run_row(state="running", finished_at=None)),
    Doctored(2, stories.waiting, doctoring.step_row("a", state="skipped")),
    Doctored(2, stories.waiting, doctoring.run_row(control="pause")),
    Doctored(2, stories.plain, doctoring.told("run.succeeded", **{"from": "paused"})),
    Doctored(2, stories.plain, doctoring.told("step.succeeded", **{"from": "ready"})),
    Doctored(3, stories.plain, doctoring.drop_event),
    Doctored(3, stories.plain, doctoring.run_row(last_sequence_no=4)),
    Doctored(4, stories.working, doctoring.told("step.started", to="succeeded")),
    Doctored(4, stories.waiting, doctoring.told("run.running", **{"from": "succeeded"})),
    Doctored(5, stories.plain, doctoring.add_event("step.retried", "a", **{"from": "succeeded", "to": "pending"})),
    Doctored(6, stories.canceled, doctoring.live_process),
    Doctored(
        6, stories.canceled, doctoring.attempt_row("a", finished_at=None, outcome="", lease_expires_at=timezone.now())
    ),
    Doctored(7, stories.plain, lambda run, team: StepRun.objects.filter(run=run).update(state="pending")),
    Doctored(7, stories.failed, doctoring.step_row("b", state="succeeded")),
    Doctored(8, stories.working, doctoring.add_attempt("a")),
    Doctored(8, stories.working, doctoring.attempt_row("a", finished_at=timezone.now(), outcome="failed")),
    Doctored(
        8, stories.plain, doctoring.attempt_row("a", finished_at=None, outcome="", lease_expires_at=timezone.now())
    ),
    Doctored(9, stories.plain, doctoring.step_row("a", token=7)),
    Doctored(9, stories.plain, doctoring.add_attempt("a", token=1, number=2)),
    Doctored(
        9,
        stories.retried,
        lambda run, team: doctoring.rows(doctoring.attempts(run, "a").filter(number=1), finished_at=timezone.now()),
    ),
    Doctored(10, stories.plain, doctoring.add_attempt("a", number=2)),
    Doctored(10, stories.plain, lambda run, team: doctoring.attempts(run, "a").delete()),
    Doctored(10, stories.retried, lambda run, team: doctoring.plan_of(run, "a", effects="once")),
    Doctored(10, stories.retried, lambda run, team: doctoring.plan_of(run, "a", retry={"max_attempts": 1})),
    Doctored(11, stories.plain, lambda run, team: doctoring.plan_of(run, "a", needs=["d"])),
    Doctored(11, stories.working, lambda run, team: doctoring.events(run, "run.admitted").update(type="run.noted")),
    Doctored(12, stories.plain, doctoring.edge_back),
    Doctored(12, stories.plain, doctoring.unknown_need),
    Doctored(12, stories.plain, doctoring.no_edge),
    Doctored(13, stories.replanned, doctoring.run_row(generation=3)),
    Doctored(13, stories.replanned, doctoring.step_row("b", generation=1)),
    Doctored(13, stories.replanned, doctoring.step_row("b", key="z")),
    Doctored(14, stories.pushed, doctoring.approval_row("push", digest="0" * 64)),
    Doctored(14, stories.pushed, doctoring.approval_row("push", rules_version="older")),
    Doctored(14, stories.pushed, doctoring.approval_row("push", quorum=2)),
    Doctored(
        14, stories.pushed, lambda run, team: doctoring.events(run, "approval.consumed").update(type="approval.noted")
    ),
    Doctored(14, stories.pushed, lambda run, team: doctoring.decisions(run, "push", digest="0" * 64)),
    Doctored(14, stories.pushed, lambda run, team: doctoring.decisions(run, "push", decision="reject")),
    Doctored(14, stories.checkpoint, doctoring.forget_decisions_of("g")),
    Doctored(14, stories.checkpoint, doctoring.approval_row("g", state="superseded", consumed_at=None)),
    Doctored(14, stories.failed, doctoring.never_asked),
    Doctored(14, stories.pushed, doctoring.approval_row("push", kind="replan")),
    Doctored(14, stories.overridden, doctoring.forget_decisions_of("b")),
    Doctored(14, stories.replanned_with_approval, doctoring.forget_decisions_of("g")),
    Doctored(14, stories.replanned_with_approval, doctoring.approval_row("g", kind="skip")),
    Doctored(15, stories.pushed, lambda run, team: doctoring.decisions(run, "push", user=team.ada)),
    Doctored(
        15, stories.pushed, lambda run, team: doctoring.rows(doctoring.approvals(run, "push"), excluded=[team.grace.pk])
    ),
    Doctored(16, stories.pushed, doctoring.approval_row("push", consumed_at=None)),
    Doctored(16, stories.pushed, doctoring.approval_row("push", expires_at=LONG_AGO)),
    Doctored(16, stories.pushed, lambda run, team: doctoring.use_twice(run)),
    Doctored(16, stories.overridden, lambda run, team: doctoring.use_twice(run)),
    Doctored(16, stories.replanned_with_approval, doctoring.use_replan_twice),
    Doctored(16, stories.calling, doctoring.step_row("a", state="failed")),
    Doctored(17, stories.pushed, doctoring.approval_row("push", kind="skip")),
    Doctored(17, stories.skipped_checkpoint, doctoring.approval_row("g", state="superseded", consumed_at=None)),
    Doctored(17, stories.skipped, doctoring.step_row("b", risk="high")),
    Doctored(18, stories.plain, doctoring.event_row("run.created", audit_sequence=None)),
    Doctored(18, stories.replanned_with_approval, doctoring.event_row("run.replan_approved", audit_sequence=None)),
    Doctored(18, stories.plain, doctoring.event_row("run.succeeded", audit_sequence=1)),
    Doctored(18, stories.plain, doctoring.event_row("run.created", audit_sequence=10**6)),
    Doctored(18, stories.plain, doctoring.forge_record),
    Doctored(19, stories.plain, lambda run, team: execute("UPDATE policy_auditrecord SET reason = 'Forged.'")),
    Doctored(20, stories.plain, doctoring.use_key_twice),
    Doctored(20, stories.plain, doctoring.launched("", "")),
    Doctored(20, stories.plain, doctoring.launched(str(uuid.uuid4()))),
    Doctored(21, stories.plain, doctoring.foreign_feature),
    Doctored(21, stories.plain, doctoring.foreign_attempt),
    Doctored(21, stories.logged, doctoring.foreign_artifact),
    Doctored(21, stories.checkpoint, doctoring.another_project_asks),
    Doctored(22, stories.logged, lambda run, team: doctoring.stored(run).unlink()),
    Doctored(22, stories.logged, doctoring.change_file),
    Doctored(22, stories.logged, doctoring.lead_out),
    Doctored(22, stories.logged, lambda run, team: doctoring.rows(Artifact.objects.filter(run=run), size=5)),
    Doctored(23, stories.plain, doctoring.attempt_row("a", cwd="src/../../other")),
    Doctored(23, stories.plain, doctoring.attempt_row("a", cwd="/etc")),
    Doctored(24, stories.plain, doctoring.attempt_row("a", env_names=["AWS_SECRET_ACCESS_KEY"])),
    Doctored(25, stories.logged, lambda run, team: doctoring.chunk(run).delete()),
    Doctored(
        25,
        stories.logged,
        lambda run, team: doctoring.rows(LogChunk.objects.filter(pk=doctoring.chunk(run).pk), text="other"),
    ),
    Doctored(25, stories.logged, doctoring.attempt_row("a", log_size=1)),
    Doctored(26, stories.logged, doctoring.print_secret),
    Doctored(26, stories.logged, doctoring.told("step.succeeded", note=f"It was {stories.TOKEN}.")),
    Doctored(26, stories.logged, doctoring.step_row("a", outputs={"token": stories.TOKEN})),
    Doctored(26, stories.logged, doctoring.attempt_row("a", error=stories.TOKEN)),
    Doctored(27, stories.working, doctoring.attempt_row("a", lease_expires_at=LONG_AGO), "warning"),
    Doctored(27, stories.waiting, doctoring.event_row("step.opened", at=LONG_AGO), "warning"),
    Doctored(27, stories.waiting, doctoring.step_row("a", state="retry_wait", due_at=LONG_AGO), "warning"),
    Doctored(28, stories.resumed, lambda run, team: doctoring.start_while_paused(run)),
    Doctored(29, stories.plain, doctoring.run_row(input_tokens=5)),
    Doctored(29, stories.plain, doctoring.attempt_row("a", usage={"output_tokens": 9})),
    Doctored(30, stories.agent, doctoring.told("tool_call.finished", name="run_command")),
    Doctored(30, stories.agent, lambda run, team: doctoring.wait_for_nobody(run)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.invariant}-{case.story.__name__}")
def test_a_doctored_database_is_found(team: Team, case: Doctored) -> None:
    run = case.story(team)
    case.doctor(run, team)

    assert (case.invariant, case.severity) in {(breach.invariant, breach.severity) for breach in found()}


def test_every_invariant_has_failed_once() -> None:
    assert {case.invariant for case in CASES} == set(range(1, 31))


@pytest.mark.django_db(transaction=True)
def test_the_snapshot_stands_still_keeps_nobody_waiting_and_writes_nothing(team: Team) -> None:
    run = stories.waiting(team)
    with invariants.read_snapshot():
        before = Event.objects.filter(run=run).count()
        writer = threading.Thread(target=lambda: (runs.start(run), connection.close()))
        writer.start()
        writer.join(30)
        assert not writer.is_alive()
        assert Event.objects.filter(run=run).count() == before
        with pytest.raises(DatabaseError):
            Event.objects.filter(run=run).update(actor="mallory")
        if connection.vendor == "postgresql":
            transaction.set_rollback(True)
    assert Event.objects.filter(run=run).count() > before
    assert found() == []
