"""What somebody with the database in hand could do to a run, past the product: a function for each."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

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
from tests.orchestration import stories
from tests.orchestration.runs import Team
from tests.policy.tampering import unguarded


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


def forget_decisions_of(key: str) -> Callable[[WorkflowRun, Team], None]:
    def doctor(run: WorkflowRun, team: Team) -> None:
        look_at_once()
        with unguarded():
            pks = [str(one.pk) for one in Decision.objects.filter(approval__in=approvals(run, key))]
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM policy_decision WHERE id IN ({', '.join(pks)})")

    return doctor


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


def late(found: Any) -> None:
    rows(found, finished_at=timezone.now())


def plan_of(run: WorkflowRun, key: str, **fields: Any) -> None:
    step = Step.objects.get(version=run.version, key=key)
    rows(Step.objects.filter(pk=step.pk), definition={**step.definition, **fields})


def use_replan_twice(run: WorkflowRun, team: Team) -> None:
    name = events(run, "run.replan_approved").get().data["approval"]
    event = events(run, "approval.requested").first()
    rows(Event.objects.filter(pk=event.pk), type="run.replan_approved", data={"approval": name}, audit_sequence=1)


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
