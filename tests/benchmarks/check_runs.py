"""How long check_runs takes over many runs. Run it on an empty database that may be filled:

CCDASH_DATA_DIR=$(mktemp -d) python -m tests.benchmarks.check_runs [RUNS]     (DATABASE_URL for PostgreSQL)

One run of ten steps and a hundred events is made by the engine, then copied with new ids.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

RUNS, NOTES_EACH, LIMIT_SECONDS = 10_000, 66, 60.0  # the engine itself writes 34 events of such a run: 100 together
CHAIN = " >> ".join(f"s{number}" for number in range(10))


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccdash.settings")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    began = time.perf_counter()
    fill(count)
    print(f"filled with {count} runs in {time.perf_counter() - began:.1f} s")
    measure()


def measure() -> None:
    from django.db import connection

    from orchestration import invariants

    scope, began = invariants.Scope(), time.perf_counter()
    with invariants.read_snapshot():
        breaches = list(invariants.check(scope))
    took = time.perf_counter() - began
    verdict = "reached" if took <= LIMIT_SECONDS else "missed"
    print(f"{connection.vendor}: {scope.runs} runs, {scope.events} events, {len(breaches)} breaches")
    print(f"check_runs: {took:.1f} s (to reach: {LIMIT_SECONDS:.0f} s, {verdict})")
    for breach in breaches[:5]:
        print(breach.as_data())


def fill(count: int) -> None:
    from orchestration.executors.base import Outcome
    from tests.orchestration import runs

    team = runs.make_team(Path(tempfile.mkdtemp()), max_active_runs=count + 1)
    run = runs.launch(team, CHAIN)
    while (assignment := runs.start(run)) is not None:
        note(run, assignment.step_key, NOTES_EACH // 10 + (NOTES_EACH % 10 if assignment.step_key == "s0" else 0))
        runs.finish(assignment, Outcome("succeeded", exit_code=0))
    for start in range(1, count, 200):
        copy(run.pk, start, min(200, count - start))


def note(run: Any, key: str, count: int) -> None:
    """Events as an agent's turns leave them."""
    from orchestration.engine.change import Change
    from orchestration.engine.door import change_run
    from policy.actors import Actor

    def body(change: Change) -> None:
        for number in range(count):
            change.event("agent.notice", key, {"turn": number, "message": "Looked at the files of this step."})

    change_run(run.pk, Actor.system("worker"), body)


def copy(source: uuid.UUID, first: int, count: int) -> None:
    """So many runs more, row by row the same but for ids, numbers and their own audit records."""
    from django.db import transaction

    from orchestration.models import Event, ExecutionRun, StepRun, WorkflowRun

    with transaction.atomic():
        run = WorkflowRun.objects.get(pk=source)
        copies = [_again(run, pk=uuid.uuid4(), number=run.number + first + i) for i in range(count)]
        WorkflowRun.objects.bulk_create(copies)
        steps = list(StepRun.objects.filter(run=source).order_by("step_index"))
        places = [(one, step) for one in copies for step in steps]
        # The step names its attempt before that is there: foreign keys are looked at on commit.
        names = {(one.pk, str(step.execution_run_id)): uuid.uuid4() for one, step in places}
        made = StepRun.objects.bulk_create(
            [
                _again(step, pk=None, run_id=one.pk, execution_run_id=names[(one.pk, str(step.execution_run_id))])
                for one, step in places
            ]
        )
        attempts = {attempt.step_run_id: attempt for attempt in ExecutionRun.objects.filter(run=source)}
        ExecutionRun.objects.bulk_create(
            [
                _again(attempts[before.pk], pk=step.execution_run_id, run_id=step.run_id, step_run_id=step.pk)
                for step, (_, before) in zip(made, places, strict=True)
            ]
        )
        events = list(Event.objects.filter(run=source))
        audited = _audited([one.pk for one in copies], [event for event in events if event.audit_sequence])
        Event.objects.bulk_create(
            [
                _again(
                    event,
                    pk=None,
                    run_id=one.pk,
                    data=_renamed(event.data, one.pk, names),
                    audit_sequence=audited.get((one.pk, event.audit_sequence)),
                )
                for one in copies
                for event in events
            ],
            batch_size=5000,
        )


def _audited(ids: list[uuid.UUID], events: list[Any]) -> dict[tuple[uuid.UUID, Any], int]:
    from policy import audit
    from policy.actors import Actor

    worker = Actor.system("worker")
    places = [(pk, event.audit_sequence) for pk in ids for event in events]
    entries = [audit.AuditEntry(event.type, worker, run=str(pk)) for pk in ids for event in events]
    return {place: row.sequence for place, row in zip(places, audit.append_many(entries), strict=True)}


def _renamed(data: dict[str, Any], run_id: uuid.UUID, names: dict[tuple[uuid.UUID, str], uuid.UUID]) -> dict[str, Any]:
    if "execution_run" not in data:
        return data
    return {**data, "execution_run": str(names[(run_id, data["execution_run"])])}


def _again(row: Any, **changes: Any) -> Any:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    values.pop("id", None)
    return type(row)(**{**values, **changes})


if __name__ == "__main__":
    main()
