"""One key, one effect: repeats, other bodies, two at once, refusals."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from orchestration.models import Command, Workflow, WorkflowRun
from policy.models import AuditRecord
from tests.api.people import Caller, problem_of, with_token
from tests.orchestration import runs
from tests.orchestration.runs import Team


@pytest.fixture
def plan(team: Team) -> dict[str, Any]:
    return runs.make_plan(team, "a")


def test_a_repeat_gets_the_first_answer_and_does_nothing(ada: Caller, plan: dict[str, Any]) -> None:
    first = ada.post("/workflows", plan, Idempotency_Key="k1")
    again = ada.post("/workflows", plan, Idempotency_Key="k1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert Workflow.objects.count() == 1


def test_the_same_key_with_another_body_or_address_is_refused(team: Team, ada: Caller, plan: dict[str, Any]) -> None:
    ada.post("/workflows", plan, Idempotency_Key="k1")
    for path, body in (("/workflows", {**plan, "name": "Other"}), ("/workflows/validate", plan)):
        told = problem_of(ada.post(path, body, Idempotency_Key="k1"), 409)
        assert told["code"] == "idempotency_key_reused"
    assert Workflow.objects.count() == 1


def test_a_key_is_one_persons_own(team: Team, ada: Caller, grace: Caller, plan: dict[str, Any]) -> None:
    ada.post("/workflows", plan, Idempotency_Key="k1")
    assert grace.post("/workflows", plan, Idempotency_Key="k1").status_code == 201
    assert Workflow.objects.count() == 2


def test_without_a_key_every_call_counts(ada: Caller, plan: dict[str, Any]) -> None:
    assert ada.post("/workflows", plan).json()["id"] != ada.post("/workflows", plan).json()["id"]
    assert not Command.objects.exists()


def test_a_run_is_launched_once(team: Team, ada: Caller) -> None:
    workflow = runs.make_workflow(team, "a")
    answers = [ada.post(f"/workflows/{workflow.pk}/runs", {}, Idempotency_Key="go") for _ in range(3)]
    assert {answer.json()["id"] for answer in answers} == {str(WorkflowRun.objects.get().pk)}


def test_a_repeated_action_answers_as_it_did_though_the_run_went_on(team: Team, ada: Caller) -> None:
    run = runs.launch(team, "a >> b")
    first = ada.post(f"/workflow-runs/{run.pk}/pause", {"reason": "x"}, Idempotency_Key="p").json()
    ada.post(f"/workflow-runs/{run.pk}/resume", {"reason": "x"})
    again = ada.post(f"/workflow-runs/{run.pk}/pause", {"reason": "x"}, Idempotency_Key="p")
    assert (again.status_code, again.json()) == (200, first)
    assert run.events.filter(type="run.pause_asked").count() == 1


def test_a_refusal_uses_no_key_up_and_stays_on_record(team: Team, ada: Caller) -> None:
    run = runs.launch(team, "a >> b")
    body = {"reason": "x"}
    problem_of(ada.post(f"/workflow-runs/{run.pk}/resume", body, Idempotency_Key="r"), 409)
    assert AuditRecord.objects.filter(action="refused.wrong_state", run=str(run.pk)).count() == 1
    ada.post(f"/workflow-runs/{run.pk}/pause", body)
    assert ada.post(f"/workflow-runs/{run.pk}/resume", body, Idempotency_Key="r").status_code == 200


def test_a_launch_that_is_refused_leaves_nothing(team: Team, ada: Caller) -> None:
    team.project.path = "/nowhere/at/all"
    team.project.save()
    body = {"project": team.project.slug, "feature": "search", "command": "true"}
    for headers in ({}, {"Idempotency_Key": "s"}):
        assert problem_of(ada.post("/runs", body, **headers), 409)["code"] == "workspace"
    assert not Workflow.objects.exists()
    assert not AuditRecord.objects.filter(outcome="done", action__startswith="workflow").exists()


@pytest.mark.parametrize("key", ["", "with space", "x" * 201, "\u00e9"])
def test_a_key_that_is_no_key_is_refused(ada: Caller, plan: dict[str, Any], key: str) -> None:
    told = problem_of(ada.post("/workflows", plan, Idempotency_Key=key), 422)
    assert told["errors"][0]["path"] == "Idempotency-Key"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_have_one_effect(team: Team) -> None:
    callers = [with_token(team.ada) for _ in range(6)]
    workflow = runs.make_workflow(team, "a")
    told: list[tuple[int, str]] = []
    gate = threading.Barrier(len(callers))

    def press(caller: Caller) -> None:
        gate.wait()
        answer = caller.post(f"/workflows/{workflow.pk}/runs", {}, Idempotency_Key="same")
        told.append((answer.status_code, answer.json().get("id")))
        connection.close()

    threads = [threading.Thread(target=press, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(told) == {(201, str(WorkflowRun.objects.get().pk))}
    assert len(told) == len(callers)
