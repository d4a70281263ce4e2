"""The engine's lean statements: together where that saves a journey, and as strict as one by one."""

from __future__ import annotations

from unittest import mock

import pytest
from django.db import IntegrityError, transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from orchestration.engine import rows, statements
from orchestration.engine.statements import StaleRow, Statement, send
from orchestration.models import Event, StepRun, WorkflowRun
from tests.orchestration import runs
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(team: Team) -> WorkflowRun:
    return runs.launch(team, "a, b, c >> d")


def moves(run: WorkflowRun, *, believed: str = "ready") -> list[Statement]:
    """Three steps get a reason, if they are what they are believed to be."""
    steps = StepRun.objects.filter(run=run, key__in="abc").order_by("step_index")
    return rows.updates(StepRun, [({"state_reason": step.key}, {"id": step.pk, "state": believed}) for step in steps])


def renamed(run: WorkflowRun, reason: str) -> Statement:
    return rows.updating(WorkflowRun, {"state_reason": reason}, {"id": run.pk}, finds=1)


def event(run: WorkflowRun, number: int) -> dict[str, object]:
    said = {"type": "agent.notice", "step_key": "", "actor": "worker", "data": {}, "audit_sequence": None}
    return {"run_id": run.pk, "sequence_no": number, "at": timezone.now(), **said}


def reasons(run: WorkflowRun) -> list[str]:
    return list(StepRun.objects.filter(run=run).order_by("step_index").values_list("state_reason", flat=True))


def test_statements_sent_together_are_all_done(run: WorkflowRun) -> None:
    found = send([*rows.insertions(Event, [event(run, 900), event(run, 901)]), *moves(run), renamed(run, "x")])
    assert (found[0], sum(found[1:-1]), found[-1]) == (2, 3, 1)
    assert reasons(run) == ["a", "b", "c", ""]
    assert run.events.filter(sequence_no__gte=900).count() == 2
    run.refresh_from_db()
    assert run.state_reason == "x"


def test_one_row_that_is_not_as_believed_takes_all_of_them_back(run: WorkflowRun) -> None:
    before = reasons(run)
    with pytest.raises(StaleRow), transaction.atomic():
        send([renamed(run, "x"), *moves(run, believed="pending")])
    run.refresh_from_db()
    assert run.state_reason != "x"
    assert reasons(run) == before


def test_more_values_than_one_statement_may_hold_are_sent_in_several(run: WorkflowRun) -> None:
    with mock.patch.object(statements, "MOST_VALUES", 5):
        assert sum(send([*moves(run), renamed(run, "x")])) == 4
    assert reasons(run) == ["a", "b", "c", ""]


def test_what_the_database_refuses_is_an_error_of_djangos(run: WorkflowRun) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        send([renamed(run, "x"), *rows.insertions(Event, [event(run, 1)])])
    run.refresh_from_db()
    assert run.state_reason != "x"


def test_a_broken_transaction_takes_no_more_statements(run: WorkflowRun) -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            send([renamed(run, "x")])


def test_values_of_every_size_reach_their_columns(run: WorkflowRun) -> None:
    """A plan that is kept was made for small numbers and empty columns; the next ones are neither."""
    for number in (7, 70_000, 7_000_000_000):
        send(
            [
                rows.updating(WorkflowRun, {"last_sequence_no": number, "started_at": timezone.now()}, {"id": run.pk}),
                rows.updating(StepRun, {"token": number, "outputs": {"n": number}}, {"run_id": run.pk, "key": "a"}),
            ]
        )
        run.refresh_from_db()
        step = runs.step_of(run, "a")
        assert (run.last_sequence_no, step.token, step.outputs) == (number, number, {"n": number})
