"""What `check_runs` proves: runs that the engine made are clean, and each doctored row is found."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from orchestration import invariants
from orchestration.artifacts import ArtifactStore
from orchestration.models import (
    Artifact,
    Command,
    Edge,
    Event,
    ExecutionRun,
    Feature,
    LogChunk,
    Step,
    StepRun,
    WorkflowRun,
)
from orchestration.processes import boot_id, start_time
from orchestration.spawner import host_name
from policy import audit
from policy.actors import Actor
from policy.models import Approval, Decision
from policy.rules import load_rules
from tests.factories import ProjectFactory
from tests.orchestration import runs, stories
from tests.orchestration.runs import Team
from tests.policy.tampering import execute, unguarded

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


def steps(run: WorkflowRun, key: str) -> Any:
    return StepRun.objects.filter(run=run, key=key)


def attempts(run: WorkflowRun, key: str) -> Any:
    return ExecutionRun.objects.filter(step_run__run=run, step_run__key=key)


def events(run: WorkflowRun, kind: str) -> Any:
    return Event.objects.filter(run=run, type=kind)


def approvals(run: WorkflowRun, key: str) -> Any:
    return Approval.objects.filter(subject__in=[f"step:{pk}" for pk in steps(run, key).values_list("pk", flat=True)])


def rows(found: Any, **columns: Any) -> None:
    """What SQL by hand would do: no machine, no guard, no event."""
    assert found.update(**columns)


def run_row(**columns: Any) -> Callable[[WorkflowRun, Team], None]:
    return lambda run, team: rows(WorkflowRun.objects.filter(pk=run.pk), **columns)


def step_row(key: str, /, **columns: Any) -> Callable[[WorkflowRun, Team], None]:
    return lambda run, team: rows(steps(run, key), **columns)


def attempt_row(key: str, /, **columns: Any) -> Callable[[WorkflowRun, Team], None]:
    return lambda run, team: rows(attempts(run, key), **columns)


def event_row(kind: str, **columns: Any) -> Callable[[WorkflowRun, Team], None]:
    return lambda run, team: rows(events(run, kind), **columns)


def approval_row(key: str, /, **columns: Any) -> Callable[[WorkflowRun, Team], None]:
    return lambda run, team: rows(approvals(run, key), **columns)


def told(kind: str, **data: Any) -> Callable[[WorkflowRun, Team], None]:
    """Change what an event says."""

    def doctor(run: WorkflowRun, team: Team) -> None:
        event = events(run, kind).last()
        rows(Event.objects.filter(pk=event.pk), data={**event.data, **data})

    return doctor


def add_event(kind: str, key: str, **data: Any) -> Callable[[WorkflowRun, Team], None]:
    def doctor(run: WorkflowRun, team: Team) -> None:
        last = Event.objects.filter(run=run).latest("sequence_no").sequence_no + 1
        Event.objects.create(
            run=run, sequence_no=last, type=kind, step_key=key, at=timezone.now(), actor="mallory", data=data
        )
        rows(WorkflowRun.objects.filter(pk=run.pk), last_sequence_no=last)

    return doctor


def drop_event(run: WorkflowRun, team: Team) -> None:
    events(run, "step.succeeded").first().delete()


def add_attempt(key: str, **columns: Any) -> Callable[[WorkflowRun, Team], None]:
    """Another attempt; the database's own guards against it are gone."""

    def doctor(run: WorkflowRun, team: Team) -> None:
        lift("one_open_attempt_per_step", "one_attempt_per_number")
        attempt = attempts(run, key).latest("token")
        attempt.pk = uuid.uuid4()
        attempt._state.adding = True
        for name, value in {"token": attempt.token + 1, **columns}.items():
            setattr(attempt, name, value)
        attempt.save(force_insert=True)
        rows(steps(run, key), token=attempt.token)

    return doctor


def lift(*indexes: str) -> None:
    with connection.cursor() as cursor:
        for name in indexes:
            cursor.execute(f"DROP INDEX {name}")


def edge_back(run: WorkflowRun, team: Team) -> None:
    first, second = Step.objects.filter(version=run.version).order_by("index")[:2]
    rows(Step.objects.filter(pk=first.pk), definition={**first.definition, "needs": [second.key]})


def unknown_need(run: WorkflowRun, team: Team) -> None:
    step = Step.objects.get(version=run.version, key="b")
    rows(Step.objects.filter(pk=step.pk), definition={**step.definition, "needs": ["a", "ghost"]})


def no_edge(run: WorkflowRun, team: Team) -> None:
    Edge.objects.filter(version=run.version).first().delete()


def decisions(run: WorkflowRun, key: str, **columns: Any) -> None:
    look_at_once()
    with unguarded():
        found = Decision.objects.filter(approval__in=approvals(run, key))
        # The model refuses changes, and so does its manager; the table's owner asks neither.
        QuerySet(Decision).filter(pk__in=[one.pk for one in found]).update(**columns)


def look_at_once() -> None:
    """PostgreSQL changes no table that has foreign keys still to be looked at."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def forget_decisions(run: WorkflowRun, team: Team) -> None:
    look_at_once()
    with unguarded():
        pks = [str(one.pk) for one in Decision.objects.filter(approval__in=approvals(run, "g"))]
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM policy_decision WHERE id IN ({', '.join(pks)})")


def foreign_feature(run: WorkflowRun, team: Team) -> None:
    other = Feature.objects.create(project=ProjectFactory(), slug="other", title="Other")
    rows(WorkflowRun.objects.filter(pk=run.pk), feature=other)


def foreign_attempt(run: WorkflowRun, team: Team) -> None:
    other = stories.plain(team)
    rows(attempts(run, "a"), run=other)


def foreign_artifact(run: WorkflowRun, team: Team) -> None:
    other = stories.plain(team)
    rows(Artifact.objects.filter(run=run), attempt=attempts(other, "a").get())


def another_project_asks(run: WorkflowRun, team: Team) -> None:
    rows(approvals(run, "g"), project=ProjectFactory())


def live_process(run: WorkflowRun, team: Team) -> None:
    pid = os.getpid()
    handle = {"host": host_name(), "boot_id": boot_id(), "pid": pid, "start_time": start_time(pid), "spool": ""}
    rows(attempts(run, "a"), handle=handle)


def change_file(run: WorkflowRun, team: Team) -> None:
    path = stored(run)
    path.chmod(0o600)
    path.write_bytes(b"what was left")


def stored(run: WorkflowRun) -> Path:
    return ArtifactStore(Path(settings.ARTIFACTS_DIR)).path(Artifact.objects.get(run=run).sha256)


def lead_out(run: WorkflowRun, team: Team) -> None:
    path = stored(run)
    outside = Path(settings.DATA_DIR) / "outside"
    path.rename(outside)
    path.symlink_to(outside)


def chunk(run: WorkflowRun) -> LogChunk:
    return LogChunk.objects.filter(attempt__run=run).order_by("offset")[1]


def print_secret(run: WorkflowRun, team: Team) -> None:
    found = chunk(run)
    text = f"it is {stories.TOKEN}\n"
    grown = len(text) - found.size
    rows(LogChunk.objects.filter(pk=found.pk), text=text, size=len(text))
    later = LogChunk.objects.filter(attempt=found.attempt_id, offset__gt=found.offset)
    rows(later, offset=F("offset") + grown)
    rows(attempts(run, "a"), log_size=F("log_size") + grown)


def use_key_twice(run: WorkflowRun, team: Team) -> None:
    """In a table that has lost its constraints."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE execution_commands RENAME TO execution_commands_before")
        cursor.execute("CREATE TABLE execution_commands AS SELECT * FROM execution_commands_before")
    for number in range(2):
        Command.objects.bulk_create(
            [
                Command(
                    pk=number + 1, user=team.ada, key="k", operation="POST /x", body_digest="d", status=200, answer={}
                )
            ]
        )


def launched(*ids: str) -> Callable[[WorkflowRun, Team], None]:
    def doctor(run: WorkflowRun, team: Team) -> None:
        for number, pk in enumerate(ids):
            answer = {"id": pk or str(run.pk)}
            operation = f"POST /api/execution/workflows/{run.workflow_id}/runs"
            Command.objects.create(
                user=team.ada, key=f"k{number}", operation=operation, body_digest="d", status=201, answer=answer
            )

    return doctor


def forge_record(run: WorkflowRun, team: Team) -> None:
    with transaction.atomic():
        audit.append("run.paused", actor=Actor.system("mallory"), project=team.project.slug, run=str(run.pk))


def never_asked(run: WorkflowRun, team: Team) -> None:
    """The plan's rows say that the rules asked when it was saved; nobody was."""
    step = Step.objects.get(version=run.version, key="b")
    version = load_rules(team.project).version
    rows(Step.objects.filter(pk=step.pk), policy={**step.policy, "verdict": "deny", "rules_version": version})


LONG_AGO = timezone.now() - timedelta(hours=1)
CASES = [
    Doctored(1, stories.plain, run_row(state="running", finished_at=None)),
    Doctored(2, stories.waiting, step_row("a", state="skipped")),
    Doctored(2, stories.waiting, run_row(control="pause")),
    Doctored(2, stories.plain, told("run.succeeded", **{"from": "paused"})),
    Doctored(2, stories.plain, told("step.succeeded", **{"from": "ready"})),
    Doctored(3, stories.plain, drop_event),
    Doctored(3, stories.plain, run_row(last_sequence_no=4)),
    Doctored(4, stories.working, told("step.started", to="succeeded")),
    Doctored(4, stories.waiting, told("run.running", **{"from": "succeeded"})),
    Doctored(5, stories.plain, add_event("step.retried", "a", **{"from": "succeeded", "to": "pending"})),
    Doctored(6, stories.canceled, live_process),
    Doctored(6, stories.canceled, attempt_row("a", finished_at=None, outcome="", lease_expires_at=timezone.now())),
    Doctored(7, stories.plain, lambda run, team: StepRun.objects.filter(run=run).update(state="pending")),
    Doctored(7, stories.failed, step_row("b", state="succeeded")),
    Doctored(8, stories.working, add_attempt("a")),
    Doctored(8, stories.working, attempt_row("a", finished_at=timezone.now(), outcome="failed")),
    Doctored(8, stories.plain, attempt_row("a", finished_at=None, outcome="", lease_expires_at=timezone.now())),
    Doctored(9, stories.plain, step_row("a", token=7)),
    Doctored(9, stories.plain, add_attempt("a", token=1, number=2)),
    Doctored(
        9, stories.retried, lambda run, team: rows(attempts(run, "a").filter(number=1), finished_at=timezone.now())
    ),
    Doctored(10, stories.plain, add_attempt("a", number=2)),
    Doctored(10, stories.plain, lambda run, team: attempts(run, "a").delete()),
    Doctored(10, stories.retried, lambda run, team: plan_of(run, "a", effects="once")),
    Doctored(10, stories.retried, lambda run, team: plan_of(run, "a", retry={"max_attempts": 1})),
    Doctored(11, stories.plain, lambda run, team: plan_of(run, "a", needs=["d"])),
    Doctored(11, stories.working, lambda run, team: events(run, "run.admitted").update(type="run.noted")),
    Doctored(12, stories.plain, edge_back),
    Doctored(12, stories.plain, unknown_need),
    Doctored(12, stories.plain, no_edge),
    Doctored(13, stories.replanned, run_row(generation=3)),
    Doctored(13, stories.replanned, step_row("b", generation=1)),
    Doctored(13, stories.replanned, step_row("b", key="z")),
    Doctored(14, stories.pushed, approval_row("push", digest="0" * 64)),
    Doctored(14, stories.pushed, approval_row("push", rules_version="older")),
    Doctored(14, stories.pushed, approval_row("push", quorum=2)),
    Doctored(14, stories.pushed, lambda run, team: events(run, "approval.consumed").update(type="approval.noted")),
    Doctored(14, stories.pushed, lambda run, team: decisions(run, "push", digest="0" * 64)),
    Doctored(14, stories.pushed, lambda run, team: decisions(run, "push", decision="reject")),
    Doctored(14, stories.checkpoint, forget_decisions),
    Doctored(14, stories.checkpoint, approval_row("g", state="superseded", consumed_at=None)),
    Doctored(14, stories.failed, never_asked),
    Doctored(15, stories.pushed, lambda run, team: decisions(run, "push", user=team.ada)),
    Doctored(15, stories.pushed, lambda run, team: rows(approvals(run, "push"), excluded=[team.grace.pk])),
    Doctored(16, stories.pushed, approval_row("push", consumed_at=None)),
    Doctored(16, stories.pushed, approval_row("push", expires_at=LONG_AGO)),
    Doctored(16, stories.pushed, lambda run, team: use_twice(run)),
    Doctored(17, stories.pushed, approval_row("push", kind="skip")),
    Doctored(17, stories.skipped_checkpoint, approval_row("g", state="superseded", consumed_at=None)),
    Doctored(17, stories.skipped, step_row("b", risk="high")),
    Doctored(18, stories.plain, event_row("run.created", audit_sequence=None)),
    Doctored(18, stories.plain, event_row("run.succeeded", audit_sequence=1)),
    Doctored(18, stories.plain, event_row("run.created", audit_sequence=10**6)),
    Doctored(18, stories.plain, forge_record),
    Doctored(19, stories.plain, lambda run, team: execute("UPDATE policy_auditrecord SET reason = 'Forged.'")),
    Doctored(20, stories.plain, use_key_twice),
    Doctored(20, stories.plain, launched("", "")),
    Doctored(20, stories.plain, launched(str(uuid.uuid4()))),
    Doctored(21, stories.plain, foreign_feature),
    Doctored(21, stories.plain, foreign_attempt),
    Doctored(21, stories.logged, foreign_artifact),
    Doctored(21, stories.checkpoint, another_project_asks),
    Doctored(22, stories.logged, lambda run, team: stored(run).unlink()),
    Doctored(22, stories.logged, change_file),
    Doctored(22, stories.logged, lead_out),
    Doctored(22, stories.logged, lambda run, team: rows(Artifact.objects.filter(run=run), size=5)),
    Doctored(23, stories.plain, attempt_row("a", cwd="src/../../other")),
    Doctored(23, stories.plain, attempt_row("a", cwd="/etc")),
    Doctored(24, stories.plain, attempt_row("a", env_names=["AWS_SECRET_ACCESS_KEY"])),
    Doctored(25, stories.logged, lambda run, team: chunk(run).delete()),
    Doctored(25, stories.logged, lambda run, team: rows(LogChunk.objects.filter(pk=chunk(run).pk), text="other")),
    Doctored(25, stories.logged, attempt_row("a", log_size=1)),
    Doctored(26, stories.logged, print_secret),
    Doctored(26, stories.logged, told("step.succeeded", note=f"It was {stories.TOKEN}.")),
    Doctored(26, stories.logged, step_row("a", outputs={"token": stories.TOKEN})),
    Doctored(26, stories.logged, attempt_row("a", error=stories.TOKEN)),
    Doctored(27, stories.working, attempt_row("a", lease_expires_at=LONG_AGO), "warning"),
    Doctored(27, stories.waiting, event_row("step.opened", at=LONG_AGO), "warning"),
    Doctored(27, stories.waiting, step_row("a", state="retry_wait", due_at=LONG_AGO), "warning"),
    Doctored(28, stories.resumed, lambda run, team: start_while_paused(run)),
    Doctored(29, stories.plain, run_row(input_tokens=5)),
    Doctored(29, stories.plain, attempt_row("a", usage={"output_tokens": 9})),
    Doctored(30, stories.agent, told("tool_call.finished", name="run_command")),
    Doctored(30, stories.agent, lambda run, team: wait_for_nobody(run)),
]


def late(found: Any) -> None:
    rows(found, finished_at=timezone.now())


def plan_of(run: WorkflowRun, key: str, **fields: Any) -> None:
    step = Step.objects.get(version=run.version, key=key)
    rows(Step.objects.filter(pk=step.pk), definition={**step.definition, **fields})


def use_twice(run: WorkflowRun) -> None:
    """The gate's event tells of a second use of the one approval."""
    name = events(run, "approval.consumed").get().data["approval"]
    event = events(run, "approval.requested").get()
    rows(Event.objects.filter(pk=event.pk), type="approval.consumed", data={"approval": name}, audit_sequence=1)


def start_while_paused(run: WorkflowRun) -> None:
    """As if the worker had not looked: the pause stands before the start."""
    started, asked = events(run, "step.started").get(), events(run, "run.pause_asked").get()
    numbers = {started.pk: asked.sequence_no, asked.pk: started.sequence_no}
    rows(Event.objects.filter(pk__in=numbers), sequence_no=F("sequence_no") + 1000)
    for pk, number in numbers.items():
        rows(Event.objects.filter(pk=pk), sequence_no=number)


def wait_for_nobody(run: WorkflowRun) -> None:
    data = {"call_id": "2", "name": "read_file", "approval_id": str(uuid.uuid4())}
    rows(events(run, "tool_call.refused"), type="tool_call.pending", data=data)


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
