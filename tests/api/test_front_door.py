"""Who gets in, what is turned away, and that every refusal is a problem document."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.models import Workflow
from policy import tokens
from policy.actors import Actor
from policy.models import ApiToken
from tests.api.people import ROOT, Caller, at_browser, problem_of, with_token
from tests.orchestration import runs
from tests.orchestration.runs import Team

PATHS = [
    "/workflows", "/workflow-runs", "/workflow-runs/x", "/workflow-runs/x/events", "/workflow-runs/x/report", "/runs",
    "/approvals", "/artifacts/x", "/artifacts/x/content", "/providers", "/projects", "/features",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_without_credentials_nothing_is_told(team: Team, path: str) -> None:
    answer = Caller(Client()).get(path)
    problem_of(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Basic YTpi", "ccd_x", "Bearer ccd_\u00e9"])
def test_a_bad_token_is_no_token_even_for_somebody_signed_in(team: Team, header: str) -> None:
    browser = at_browser(team.ada)
    assert browser.get("/projects").status_code == 200
    browser.headers["Authorization"] = header
    problem_of(browser.get("/projects"), 401)


def test_a_revoked_or_expired_token_gets_nothing(team: Team) -> None:
    caller = with_token(team.ada)
    token = ApiToken.objects.get()
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    problem_of(caller.get("/projects"), 401)
    ApiToken.objects.update(expires_at=None)
    assert caller.get("/projects").status_code == 200
    tokens.revoke(token, by=Actor.for_command(team.ada))
    problem_of(caller.get("/projects"), 401)


def test_a_deactivated_person_gets_nothing(team: Team) -> None:
    caller, browser = with_token(team.ada), at_browser(team.ada)
    team.ada.is_active = False
    team.ada.save()
    problem_of(caller.get("/projects"), 401)
    problem_of(browser.get("/projects"), 401)


def test_a_browser_needs_its_csrf_token_to_change_anything(team: Team) -> None:
    workflow = runs.make_workflow(team, "a")
    path = f"/workflows/{workflow.pk}/runs"
    told = problem_of(at_browser(team.ada, csrf=False).post(path), 403)
    assert told["code"] == "csrf_failed"
    assert not workflow.runs.exists()
    assert at_browser(team.ada).post(path).status_code == 201


def test_a_script_with_a_token_needs_no_csrf_token(team: Team) -> None:
    workflow = runs.make_workflow(team, "a")
    caller = with_token(team.ada)
    caller.client = Client(enforce_csrf_checks=True)
    assert caller.post(f"/workflows/{workflow.pk}/runs").status_code == 201


def test_a_role_that_was_taken_away_is_gone_at_once(team: Team, ada: Caller) -> None:
    run = runs.launch(team, "a")
    assert ada.get(f"/workflow-runs/{run.pk}").status_code == 200
    team.project.memberships.filter(user=team.ada).delete()
    problem_of(ada.get(f"/workflow-runs/{run.pk}"), 404)


@pytest.mark.parametrize("path", ["", "/", "/nowhere", "/workflows/", "/workflow-runs/x/y", "/workflow-runs/%2e%2e"])
def test_an_unknown_address_is_a_problem_document(ada: Caller, path: str) -> None:
    answer = ada.client.get(ROOT + path, headers=ada.headers, follow=True)
    problem_of(answer, 404)


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_a_wrong_method_is_a_problem_document_that_says_which_are_right(ada: Caller, method: str) -> None:
    answer = getattr(ada.client, method)(f"{ROOT}/workflows", headers=ada.headers)
    problem_of(answer, 405)
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}


def test_a_foreign_host_name_is_a_problem_document(ada: Caller) -> None:
    problem_of(ada.client.get(f"{ROOT}/projects", headers={**ada.headers, "Host": "evil.example"}), 400)


DEEP = 100_000
HOSTILE = [
    b"", b"{", b"[]", b"null", b'"plan"', b"1", b"name: plan", b"\xff\xfe", b'{"name": NaN}', b'{"name": Infinity}',
    b'{"name": 1e999}', b'{"name": "a", "name": "b"}', b'{"name": "\\ud800"}', b'{"name": "\\u0000"}',
    b'{"name": "\x00"}', b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b'{"name": ' + b"9" * 5000 + b"}", b'{"n' + b'": 1, "n'.join(str(n).encode() for n in range(20_000)) + b'": 1}',
    b'\xef\xbb\xbf{"name": "a"}',
]  # fmt: skip


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_body_is_refused_wherever_it_is_sent(team: Team, ada: Caller, raw: bytes) -> None:
    run = runs.launch(team, "a")
    for path in ("/workflows", "/runs", "/policy-check", f"/workflow-runs/{run.pk}/cancel"):
        told = problem_of(ada.send(path, raw), 422)
        assert told["errors"][0]["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_is_not_json_is_refused(ada: Caller, kind: str) -> None:
    problem_of(ada.send("/workflows", b"{}", content_type=kind), 415)


def test_a_plan_may_be_larger_than_other_bodies_but_not_without_end(team: Team, ada: Caller) -> None:
    run = runs.launch(team, "a")
    large = json.dumps({"reason": "x" * 1024 * 1024})
    problem_of(ada.send(f"/workflow-runs/{run.pk}/cancel", large), 413)
    plan = runs.make_plan(team, "a", description="x" * 2 * 1024 * 1024)
    assert problem_of(ada.post("/workflows", plan), 422)["errors"][0]["path"] == "description"
    problem_of(ada.send("/workflows", json.dumps({**plan, "description": "x" * 11 * 1024 * 1024})), 413)
    assert Workflow.objects.count() == 1
