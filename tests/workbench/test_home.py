"""Home: what waits for me, what runs, what failed; and the way in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests.factories import PASSWORD, UserFactory
from tests.orchestration import runs
from tests.orchestration.runs import BROKEN, Team
from tests.workbench.visitors import text_of, visitor

pytestmark = pytest.mark.django_db
APPROVAL = {"gate": {"type": "approval"}}


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    cache.clear()


def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back() -> None:
    answer = Client().get("/projects/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/projects/")


def test_a_part_of_a_page_leads_the_whole_browser_to_the_sign_in() -> None:
    answer = Client().get("/projects/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/accounts/login/?next=/"


def test_signing_in_goes_where_one_was_going_and_remembers_when() -> None:
    user, client = UserFactory(), Client()
    answer = client.post("/accounts/login/", {"username": user.username, "password": PASSWORD, "next": "/projects/"})
    assert (answer.status_code, answer["Location"]) == (302, "/projects/")
    assert client.session["signed_in_at"]


def test_signing_in_leads_to_no_other_host() -> None:
    user = UserFactory()
    sent = {"username": user.username, "password": PASSWORD, "next": "https://evil.example/"}
    assert Client().post("/accounts/login/", sent)["Location"] == "/"


def test_a_wrong_password_says_so() -> None:
    answer = Client().post("/accounts/login/", {"username": "nobody", "password": "guess"})
    assert "don't match" in answer.content.decode()


def test_guessing_is_slowed_down_for_that_name_alone() -> None:
    user, other, client = UserFactory(), UserFactory(), Client()
    for _ in range(10):
        client.post("/accounts/login/", {"username": user.username, "password": "guess"})
    paused = client.post("/accounts/login/", {"username": user.username.upper(), "password": PASSWORD})
    assert paused.status_code == 429
    assert "Wait five minutes" in paused.content.decode()
    assert client.post("/accounts/login/", {"username": other.username, "password": PASSWORD}).status_code == 302


def test_signing_out_needs_a_post() -> None:
    client = visitor()
    assert client.get("/accounts/logout/").status_code == 405
    client.post("/accounts/logout/")
    assert client.get("/").status_code == 302


def test_a_newcomer_is_told_how_to_get_a_project() -> None:
    told = text_of(visitor().get("/"))
    assert "You are in no project yet" in told
    assert "script/manage add_member" in told


def test_a_decision_waits_for_those_who_may_make_it(team: Team) -> None:
    runs.launch(team, "gate", APPROVAL, name="Release")
    assert "1 decision waits for you" in text_of(visitor(team.grace).get("/"))
    assert "Nothing waits for you" in text_of(visitor(team.ada).get("/"))


def test_home_shows_what_is_under_way_and_what_failed(team: Team) -> None:
    runs.settle(runs.launch(team, "build", name="Broken one"), {"build": BROKEN})
    runs.launch(team, "gate", APPROVAL, name="Waiting one")
    page = visitor(team.linus).get("/")
    assert [row["title"] for row in page.context["running"]] == ["Waiting one"]
    assert [row["title"] for row in page.context["failed"]] == ["Broken one"]


def test_home_shows_nothing_of_other_projects(team: Team) -> None:
    runs.launch(team, "gate", APPROVAL, name="Secret plan")
    assert "Secret plan" not in text_of(visitor().get("/"))


def test_a_title_is_shown_as_text(team: Team) -> None:
    runs.launch(team, "gate", APPROVAL, name="<script>alert(1)</script>")
    assert "<script>alert" not in visitor(team.ada).get("/").content.decode()


@pytest.mark.parametrize("path", ["/", "/projects/"])
def test_more_runs_cost_no_more_statements(team: Team, django_assert_max_num_queries: Any, path: str) -> None:
    client = visitor(team.grace)
    client.get(path)
    for size in (1, 6):
        for _ in range(size):
            runs.launch(team, "gate", APPROVAL)
        with django_assert_max_num_queries(26):
            client.get(path)
