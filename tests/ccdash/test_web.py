"""What a browser is held to: headers, cookies, where a sign-in leads, and what an error tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from policy import sign_in, tokens
from policy.models import AuditRecord
from tests.factories import PASSWORD, UserFactory, member
from tests.orchestration import runs, stories
from tests.orchestration.runs import Team
from tests.workbench import pages

pytestmark = pytest.mark.django_db
ADDRESSES = ("/accounts/login/", "/", "/account/", "/projects/", "/approvals/", "/admin/", "/api/execution/projects")
WANTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "object-src": "'none'",
    "base-uri": "'none'", "form-action": "'self'", "frame-ancestors": "'none'",
}  # fmt: skip


@pytest.fixture
def root() -> Client:
    return pages.signed_in(UserFactory(is_staff=True, is_superuser=True))


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_tells_the_browser_what_it_may(root: Client, address: str) -> None:
    answer = root.get(address)
    assert {name: answer.headers[name] for name in WANTED} == WANTED
    told = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    assert POLICY.items() <= told.items()
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert "no-store" in answer.headers["Cache-Control"]


def test_cookies_are_for_this_site_and_no_script() -> None:
    UserFactory(username="anna")
    client = Client()
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"username": "anna", "password": PASSWORD})
    for name in ("sessionid", "csrftoken"):
        assert (client.cookies[name]["samesite"], client.cookies[name]["httponly"]) == ("Lax", True)
    assert int(client.cookies["sessionid"]["max-age"]) <= 12 * 3600


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:evil.example"],
)
@pytest.mark.parametrize("door", ["/accounts/login/", "/admin/login/"])
def test_no_sign_in_leads_to_another_site(door: str, wanted: str) -> None:
    UserFactory(username="anna")
    client = Client()
    at = client.get(door, {"next": wanted})
    address = at["Location"] if at.status_code == 302 else f"{door}?next={wanted}"
    answer = client.post(address, {"username": "anna", "password": PASSWORD})
    assert answer["Location"] == "/"


def test_no_form_acts_without_its_csrf_token(team: Team) -> None:
    run = pages.blocked(team)
    client = Client(enforce_csrf_checks=True)
    client.force_login(team.grace)
    approval = runs.step_of(run, "gate").approval
    assert approval is not None
    for address in (
        f"approvals/{approval.pk}/decision/", "actions/cancel/", "actions/retry-step/", "actions/revoke/", "seen/"
    ):  # fmt: skip
        assert client.post(pages.url(run, address), {"decision": "approve", "reason": "x"}).status_code == 403
    assert Client(enforce_csrf_checks=True).post("/accounts/login/", {"username": "x"}).status_code == 403
    run.refresh_from_db()
    assert run.state == "blocked"


def test_looking_changes_nothing(team: Team) -> None:
    """Every link of the run's page, followed by somebody who may do everything there."""
    run = pages.blocked(team)
    client = pages.signed_in(team.grace)
    links = set(re.findall(r'(?:href|hx-get)="(/projects/[^"#]+)', client.get(pages.url(run)).content.decode()))
    before = (run.last_sequence_no, AuditRecord.objects.count())
    for link in links:
        assert client.get(link.replace("&amp;", "&")).status_code in (200, 302)
    run.refresh_from_db()
    assert (run.last_sequence_no, AuditRecord.objects.count()) == before
    assert len(links) > 10


def test_an_error_tells_nothing_of_the_inside(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*anything: Any, **more: Any) -> Any:
        raise RuntimeError("the password of the database is hunter2")

    monkeypatch.setattr("orchestration.reading.finding.find_project", breaks)
    monkeypatch.setattr("orchestration.reading.finding.visible_runs", breaks)
    client = Client(raise_request_exception=False)
    client.force_login(team.grace)
    for address in (f"/projects/{team.project.slug}/", "/api/execution/workflow-runs"):
        answer = client.get(address)
        assert answer.status_code == 500
        for inside in ("hunter2", "RuntimeError", "Traceback", "site-packages", "SECRET_KEY", str(Path.cwd())):
            assert inside not in answer.content.decode()


@pytest.fixture
def patience() -> Iterator[int]:
    cache.clear()
    yield sign_in.TRIES_BY_NAME
    cache.clear()


def test_a_session_that_was_taken_over_guesses_the_password_no_faster(team: Team, patience: int) -> None:
    run = runs.launch(team, "g >> a", {"g": stories.GATE})
    client = pages.signed_in(team.grace, recently=False)
    approval = runs.step_of(run, "g").approval
    assert approval is not None
    form = {"decision": "approve", "reason": "x", "digest": approval.digest, "password": "a guess"}
    address = pages.url(run, f"approvals/{approval.pk}/decision/")
    said = [client.post(address, form).status_code for _ in range(patience + 1)]
    assert said == [422] * patience + [429]
    assert client.post(address, {**form, "password": PASSWORD}).status_code == 429
    passwords = {"old_password": PASSWORD, "new_password1": "long-enough-1", "new_password2": "long-enough-1"}
    assert client.post("/accounts/password/", passwords).status_code == 429
    team.grace.refresh_from_db()
    assert team.grace.check_password(PASSWORD)


def test_the_administration_changes_passwords_at_the_door_of_everybody(root: Client) -> None:
    assert root.get("/admin/password_change/")["Location"] == "/accounts/password/"


def test_a_changed_password_is_on_record_and_in_no_record() -> None:
    user = UserFactory()
    passwords = {"old_password": PASSWORD, "new_password1": "tide-and-harbour", "new_password2": "tide-and-harbour"}
    assert pages.signed_in(user).post("/accounts/password/", passwords).status_code == 303
    record = AuditRecord.objects.get(action="user.password_changed")
    assert (record.actor, record.subject) == (user.username, f"user:{user.pk}")
    assert "tide-and-harbour" not in str(record.after)


def test_a_new_token_lies_in_no_table_that_somebody_could_read_it_from() -> None:
    from django.contrib.sessions.models import Session

    client = pages.signed_in(UserFactory())
    client.post("/account/tokens/", {"name": "nightly", "days": "90"})
    stored = str([session.get_decoded() for session in Session.objects.filter(expire_date__gt=timezone.now())])
    raw = re.search(r"ccd_[\w-]+", client.get("/account/").content.decode())
    assert raw
    assert raw[0] not in stored


def test_a_token_in_the_address_opens_nothing() -> None:
    _, raw = tokens.create(UserFactory())
    assert Client().get("/api/execution/projects", headers={"Authorization": f"Bearer {raw}"}).status_code == 200
    for query in ({"token": raw}, {"access_token": raw}, {"Authorization": f"Bearer {raw}"}):
        assert Client().get("/api/execution/projects", query).status_code == 401


# the administration of several projects


@pytest.fixture
def auditor(team: Team) -> Client:
    """Staff with every permission Django knows, and a role in one project only."""
    user = member(team.project, "viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return pages.signed_in(user)


def test_staff_find_runs_plans_and_history_of_their_projects_only(
    team: Team, auditor: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runs.launch(team, "a >> b")
    foreign = runs.launch(runs.make_team(tmp_path_factory.mktemp("theirs"), name="Quite secret"), "x >> y")
    for model in ("feature", "workflow", "workflowversion", "workflowrun", "steprun", "event"):
        shown = auditor.get(f"/admin/orchestration/{model}/").content.decode()
        assert str(foreign.pk) not in shown
        assert "Quite secret" not in shown
        assert "result_list" in shown, model
    for address in (
        f"workflowrun/{foreign.pk}/change/", f"workflow/{foreign.workflow_id}/change/",
        f"steprun/{foreign.step_runs.get(key='x').pk}/change/",
    ):  # fmt: skip
        assert auditor.get(f"/admin/orchestration/{address}").status_code == 302  # as if it were not there
    for address in ("policy/rule/add/", "policy/membership/", "policy/approval/", "policy/rule/"):
        assert "Quite secret" not in auditor.get(f"/admin/{address}").content.decode()


def test_staff_give_themselves_nothing_whatever_permission_django_gave_them(auditor: Client) -> None:
    boss = UserFactory(is_staff=True, is_superuser=True, username="boss")
    own = User.objects.exclude(pk=boss.pk).get(is_staff=True)
    form = {"username": own.username, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert auditor.post(f"/admin/auth/user/{own.pk}/change/", form).status_code == 403
    passwords = {"password1": "taken-over-1", "password2": "taken-over-1"}
    assert auditor.post(f"/admin/auth/user/{boss.pk}/password/", passwords).status_code == 403
    assert auditor.post("/admin/auth/user/add/", {"username": "x", **passwords}).status_code == 403
    assert auditor.post("/admin/auth/group/add/", {"name": "approvers"}).status_code == 403
    own.refresh_from_db()
    assert not own.is_superuser
