"""A project's pages: who sees what, who may change what, and that every change goes through policy."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestration.models import Feature
from policy.models import AuditRecord, EnvProfile, Membership, Secret
from policy.models.rules import Rule
from tests.factories import UserFactory, member
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench.visitors import text_of, visitor

pytestmark = pytest.mark.django_db
TABS = ("", "runs/", "members/", "providers/", "secrets/", "environments/", "rules/", "health/")
POSTS = (
    "members/", "secrets/", "secrets/NAME/removal/", "environments/", "environments/ci/removal/", "members/1/removal/",
    "imports/", "new-feature/",
)  # fmt: skip
DOCUMENT = "---\ndoc_type: prd\nfeature_slug: lights\ntitle: Lights\nstatus: draft\n---\n# Lights\n\nSome *text*.\n"


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


@pytest.fixture
def admin(team: Team) -> Any:
    return visitor(member(team.project, "admin"))


def url(team: Team, tail: str = "") -> str:
    return f"/projects/{team.project.slug}/{tail}"


@pytest.mark.parametrize("tab", TABS)
def test_members_see_every_tab_and_strangers_see_what_an_unknown_project_shows(team: Team, tab: str) -> None:
    assert visitor(team.linus).get(url(team, tab)).status_code == 200
    stranger = visitor()
    theirs, unknown = stranger.get(url(team, tab)), stranger.get(f"/projects/nowhere/{tab}")
    assert (theirs.status_code, unknown.status_code) == (404, 404)
    assert text_of(theirs).replace(team.project.slug, "nowhere") == text_of(unknown)


@pytest.mark.parametrize("tail", POSTS)
def test_who_only_looks_changes_nothing(team: Team, tail: str) -> None:
    sent = {
        "username": team.linus.username,
        "role": "admin",
        "name": "NAME",
        "value": "a value",
        "title": "T",
        "slug": "t",
    }
    before = (Membership.objects.count(), Secret.objects.count(), Feature.objects.count())
    assert visitor(team.linus).post(url(team, tail), sent).status_code == 403
    assert (Membership.objects.count(), Secret.objects.count(), Feature.objects.count()) == before


def test_buttons_that_a_person_may_not_press_are_not_there(team: Team, admin: Any) -> None:
    assert "Add a member" in text_of(admin.get(url(team, "members/")))
    assert "Add a member" not in text_of(visitor(team.ada).get(url(team, "members/")))
    assert "Read the documents again" not in text_of(visitor(team.linus).get(url(team)))


def test_an_admin_adds_changes_and_removes_a_member_on_record(team: Team, admin: Any) -> None:
    newcomer = UserFactory(username="barbara")
    for role in ("viewer", "approver"):
        answer = admin.post(url(team, "members/"), {"username": "barbara", "role": role})
        assert (answer.status_code, answer["Location"]) == (303, url(team, "members/"))
        assert Membership.objects.get(project=team.project, user=newcomer).role == role
    admin.post(url(team, f"members/{newcomer.pk}/removal/"))
    assert not Membership.objects.filter(project=team.project, user=newcomer).exists()
    assert admin.post(url(team, f"members/{newcomer.pk}/removal/")).status_code == 303
    actions = set(AuditRecord.objects.values_list("action", flat=True))
    assert {"member.added", "member.changed", "member.removed"} <= actions


def test_a_name_that_nobody_has_is_said_at_the_field_and_stays_typed(team: Team, admin: Any) -> None:
    answer = admin.post(url(team, "members/"), {"username": "nobody-here", "role": "viewer"})
    assert answer.status_code == 422
    assert "There is no person" in text_of(answer)
    assert 'value="nobody-here"' in answer.content.decode()


def test_a_secret_is_stored_and_never_shown(team: Team, admin: Any) -> None:
    answer = admin.post(url(team, "secrets/"), {"name": "NPM_TOKEN", "value": "s3cr3t-value-of-it"}, follow=True)
    assert "NPM_TOKEN" in text_of(answer)
    assert "s3cr3t-value-of-it" not in answer.content.decode()
    admin.post(url(team, "secrets/NPM_TOKEN/removal/"))
    assert not Secret.objects.exists()


def test_a_profile_is_made_shown_replaced_and_removed(team: Team, admin: Any) -> None:
    sent = {"name": "ci", "env": "CI=1\nOPTS=-a=b", "secrets": "NPM_TOKEN"}
    answer = admin.post(url(team, "environments/"), sent, follow=True)
    assert "OPTS=-a=b" in text_of(answer)
    assert EnvProfile.objects.get().secrets == ["NPM_TOKEN"]
    form = admin.get(url(team, "environments/"), {"profile": "ci"}).content.decode()
    assert "CI=1\nOPTS=-a=b</textarea>" in form
    admin.post(url(team, "environments/"), {**sent, "env": "CI=2"})
    assert EnvProfile.objects.get().env == {"CI": "2"}
    admin.post(url(team, "environments/ci/removal/"))
    assert not EnvProfile.objects.exists()
    actions = AuditRecord.objects.filter(action__startswith="env_profile.").order_by("sequence")
    assert [action.partition(".")[2] for action in actions.values_list("action", flat=True)] == [
        "created", "changed", "removed",
    ]  # fmt: skip


@pytest.mark.parametrize("env", ["no equals sign", "1A=x", "CCDASH_TOKEN=x", "A=${{ inputs.x }}"])
def test_variables_that_make_no_sense_are_refused(team: Team, admin: Any, env: str) -> None:
    answer = admin.post(url(team, "environments/"), {"name": "ci", "env": env, "secrets": ""})
    assert answer.status_code == 422
    assert not EnvProfile.objects.exists()


def test_a_short_secret_is_stored_with_a_warning(team: Team, admin: Any) -> None:
    answer = admin.post(url(team, "secrets/"), {"name": "PIN", "value": "ab"}, follow=True)
    assert "not redacted" in text_of(answer)


def test_a_bad_name_of_a_secret_is_said_and_its_value_does_not_come_back(team: Team, admin: Any) -> None:
    answer = admin.post(url(team, "secrets/"), {"name": "npm token", "value": "s3cr3t-value-of-it"})
    assert answer.status_code == 422
    assert "capital letters" in text_of(answer)
    assert "s3cr3t-value-of-it" not in answer.content.decode()


def test_reading_the_documents_makes_features(team: Team, tmp_path: Path) -> None:
    (tmp_path / "lights.md").write_text(DOCUMENT)
    answer = visitor(team.ada).post(url(team, "imports/"), follow=True)
    assert "1 new features" in text_of(answer) or "1 new feature" in text_of(answer)
    assert "Lights" in text_of(answer)


def test_a_feature_is_made_by_hand_once(team: Team) -> None:
    client, sent = visitor(team.ada), {"title": "Foghorn", "slug": "foghorn", "description": ""}
    assert client.post(url(team, "new-feature/"), sent)["Location"] == url(team, "features/foghorn/")
    again = client.post(url(team, "new-feature/"), sent)
    assert again.status_code == 422
    assert "has a feature foghorn already" in text_of(again)


def test_the_board_sorts_features_by_how_they_stand(team: Team) -> None:
    for number, status in enumerate(("In Progress", "done", "wip", "odd word")):
        Feature.objects.create(project=team.project, slug=f"f{number}", title=f"F{number}", status=status)
    columns = visitor(team.linus).get(url(team)).context["columns"]
    assert [column["state"] for column in columns] == ["draft", "in_progress", "odd_word", "completed"]
    assert [len(column["features"]) for column in columns] == [1, 2, 1, 1]


def test_runs_are_filtered_and_paged_by_number(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.project_parts.RUNS_ON_A_PAGE", 2)
    for _ in range(3):
        runs.settle(runs.launch(team, "build"))
    client = visitor(team.linus)
    first = client.get(url(team, "runs/"), {"state": "succeeded"})
    assert [row["number"] for row in first.context["runs"]] == [3, 2]
    second = client.get(first.context["next_url"])
    assert [row["number"] for row in second.context["runs"]] == [1]
    assert client.get(url(team, "runs/"), {"state": "failed"}).context["runs"] == []


def test_health_counts_what_is_not_committed(team: Team, tmp_path: Path) -> None:
    for command in (
        ["init", "-q"],
        ["-c", "user.name=t", "-c", "user.email=t@x", "commit", "-q", "--allow-empty", "-m", "m"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "new.txt").write_text("new")
    told = text_of(visitor(team.linus).get(url(team, "health/")))
    assert "1 file differs from the last commit" in told


def test_rules_in_force_are_told_with_their_verdicts(team: Team) -> None:
    told = text_of(visitor(team.linus).get(url(team, "rules/")))
    assert "ships with CCDash" in told
    assert "Denied by policy" in told


def test_rules_that_were_written_here_stand_open_before_the_shipped_ones_by_verdict(team: Team) -> None:
    Rule.objects.create(project=team.project, name="ours", description="No.", verdict="deny", risk="high")
    page = visitor(team.linus).get(url(team, "rules/")).content.decode()
    summaries = re.findall(r'<details class="rule-group"( open)?><summary>.*?row-title">([^<]+)<', page)
    assert summaries[0] == (" open", "Written here")
    assert [words for _, words in summaries[1:]] == [
        "Denied by policy", "Needs elevated approval", "Needs approval", "Runs without approval",
    ]  # fmt: skip
    assert {is_open for is_open, _ in summaries[1:]} == {""}


@pytest.mark.parametrize("tab", TABS)
def test_a_larger_project_costs_no_more_statements(team: Team, django_assert_max_num_queries: Any, tab: str) -> None:
    client = visitor(team.linus)
    client.get(url(team, tab))
    for size in (1, 6):
        for number in range(size):
            Feature.objects.create(project=team.project, slug=f"f{size}{number}", title="F")
            member(team.project, "viewer")
            runs.launch(team, "build")
        with django_assert_max_num_queries(16):
            client.get(url(team, tab))
