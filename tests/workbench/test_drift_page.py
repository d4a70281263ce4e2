"""A run whose files changed behind its back: what the page says, and both ways out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.orchestration import runs
from tests.orchestration.repositories_of_tests import make_repository
from tests.orchestration.runs import Team
from tests.orchestration.worktree_runs import drifted, work
from tests.workbench.pages import signed_in, text_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(tmp_path: Path, settings: Settings) -> Team:
    settings.WORKTREES_DIR = tmp_path / "worktrees"
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
    return runs.make_team(make_repository(tmp_path / "repository"))


def test_whoever_can_not_decide_sees_the_files_and_may_restore_them(team: Team) -> None:
    run, _ = drifted(team)
    client = signed_in(team.ada)
    text = text_of(client.get(url(run)))
    assert "changed behind the run's back" in text
    assert "changed a.txt" in text
    sheet = client.get(url(run, "actions/retry-step/"), {"step_key": "b", "restore": "1"})
    assert "a.txt. A restore throws these changes away." in text_of(sheet)
    assert "checked" in sheet.content.decode().partition('name="restore_workspace"')[2][:120]
    body = {"step_key": "b", "reason": "Clean.", "restore_workspace": "on"}
    assert client.post(url(run, "actions/retry-step/"), body).status_code == 303
    assert work(run).state == "succeeded"


def test_an_approver_sees_the_change_and_accepts_it(team: Team) -> None:
    run, _ = drifted(team)
    client = signed_in(team.grace)
    text = text_of(client.get(url(run)))
    assert "Changed files before b" in text
    assert "+two" in text
    approval = runs.step_of(run, "b").approval
    assert approval is not None
    body = {"decision": "approve", "reason": "It was me.", "digest": approval.digest}
    assert client.post(url(run, f"approvals/{approval.pk}/decision/"), body).status_code == 303
    assert work(run).state == "succeeded"


def test_a_reader_sees_it_and_can_do_nothing(team: Team) -> None:
    run, _ = drifted(team)
    client = signed_in(team.linus)
    assert "Restore the files" not in text_of(client.get(url(run)))
    assert client.post(url(run, "actions/retry-step/"), {"step_key": "b", "reason": "x"}).status_code == 403


def test_a_run_in_a_plain_folder_says_what_it_can_not_notice(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "plain").mkdir()
    team = runs.make_team(tmp_path / "plain")
    run = runs.launch(team, "a")
    assert "changes from outside are not noticed" in signed_in(team.ada).get(url(run)).content.decode()
