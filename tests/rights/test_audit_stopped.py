"""Nothing changes while the audit log can't be written: whoever asks is told so, and may ask again afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from orchestration import invariants
from orchestration.api import idempotency
from orchestration.engine import door, starting
from orchestration.engine.errors import Busy
from orchestration.models import Command, Event, StepRun, Workflow, WorkflowRun
from policy import audit
from policy.errors import AuditError
from policy.models import Approval, AuditRecord, Decision, Membership
from tests.api.people import problem_of, with_token
from tests.factories import UserFactory, member
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.policy.tampering import execute
from tests.workbench.pages import signed_in, text_of, url

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = (Event, AuditRecord, Command, WorkflowRun, Workflow, StepRun, Approval, Decision, Membership)


@pytest.fixture(autouse=True)
def _without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "ATTEMPTS", 2)
    monkeypatch.setattr(idempotency, "ATTEMPTS", 2)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path, max_active_runs=10)


@contextmanager
def failing(beginning: str, error: str) -> Iterator[None]:
    """The database refuses this one statement of the log's, as it does when there is no room or no lock."""

    def refuse(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith(beginning):
            raise OperationalError(error)
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse):
        yield


def full() -> Any:
    return failing("INSERT INTO policy_auditrecord", "database or disk is full")


def locked() -> Any:
    return failing("SELECT sequence, hash FROM policy_audithead", "database is locked")


@contextmanager
def beheaded() -> Iterator[None]:
    """Somebody took the head away, and puts it back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequence, hash FROM policy_audithead", [])
        head = cursor.fetchone()
    execute("DELETE FROM policy_audithead")
    yield
    execute("INSERT INTO policy_audithead (id, sequence, hash) VALUES (1, %s, %s)", *head)


OBSTACLES = {
    "full": (full, "disk is full"),
    "locked": (locked, "busy"),
    "beheaded": (beheaded, "head of the audit log is missing"),
}


def everything() -> dict[str, list[dict[str, Any]]]:
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in ROWS}


Press = Callable[[], Any]


def launches(team: Team, run: WorkflowRun) -> Press:
    ada = with_token(team.ada)
    return lambda: ada.post(f"/workflows/{run.workflow_id}/runs")


def decides(team: Team, run: WorkflowRun) -> Press:
    approval, grace = runs.step_of(run, "gate").approval, with_token(team.grace, may_approve=True)
    assert approval is not None
    body = {"step_key": "gate", "decision": "approve", "reason": "I looked.", "digest": approval.digest}
    return lambda: grace.post(f"/workflow-runs/{run.pk}/approve", body, idempotency_key="decided-once")


def cancels_on_the_page(team: Team, run: WorkflowRun) -> Press:
    ada = signed_in(team.ada)
    return lambda: ada.post(url(run, "actions/cancel/"), {"reason": "Enough."})


def launches_on_the_page(team: Team, run: WorkflowRun) -> Press:
    ada = signed_in(team.ada)
    return lambda: ada.post(f"/projects/{team.project.slug}/workflows/{run.workflow_id}/launch/", {"form_key": "once"})


def adds_a_member_on_the_page(team: Team, run: WorkflowRun) -> Press:
    admin = signed_in(member(team.project, "admin"))
    UserFactory(username="barbara")
    return lambda: admin.post(f"/projects/{team.project.slug}/members/", {"username": "barbara", "role": "approver"})


DEEDS = {
    "launch": (launches, 201),
    "decide": (decides, 200),
    "launch-page": (launches_on_the_page, 303),
    "cancel": (cancels_on_the_page, 303),
    "member": (adds_a_member_on_the_page, 303),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize("deed", DEEDS)
def test_without_its_record_nothing_changes_and_afterwards_it_does(team: Team, deed: str, obstacle: str) -> None:
    run = runs.launch(team, "gate >> b", {"gate": {"type": "approval"}})
    (prepare, done), (stop, said) = DEEDS[deed], OBSTACLES[obstacle]
    press = prepare(team, run)
    before = everything()

    with stop():
        refused = press()

    assert refused.status_code == 503
    told = problem_of(refused, 503)["detail"] if deed in ("launch", "decide") else text_of(refused)
    assert said in told.lower()
    assert everything() == before

    again = press()
    assert again.status_code == done, again.content
    assert everything() != before
    assert audit.verify().ok
    assert list(invariants.check(invariants.Scope(run_id=run.pk))) == []


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_an_approved_step_does_not_start_without_its_record(team: Team, obstacle: str) -> None:
    run = runs.launch(team, "push", {"push": {"command": "git push origin main"}})
    runs.decide(team, run, "push")
    before = everything()

    with OBSTACLES[obstacle][0](), pytest.raises((Busy, AuditError)):
        starting.start_step(run.pk, owner=runs.OWNER)

    assert everything() == before
    assert runs.settle(run).state == "succeeded"
    assert audit.verify().ok
