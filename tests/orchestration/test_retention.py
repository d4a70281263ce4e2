"""Old worktrees: those of runs that are over go, their branches and all that is on no branch stay."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from ccdash.doctor import work as doctor
from orchestration import retention, worktree
from orchestration.invariants import checking
from orchestration.models import WorkflowRun
from policy.models import AuditRecord
from tests.orchestration import runs
from tests.orchestration.repositories_of_tests import git, make_repository
from tests.orchestration.runs import Team
from tests.orchestration.worktree_runs import half_done, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(tmp_path: Path, settings: Settings) -> Team:
    settings.WORKTREES_DIR = tmp_path / "worktrees"
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
    return runs.make_team(make_repository(tmp_path / "repository"))


def ended(team: Team, *, days: int = 20) -> tuple[WorkflowRun, Path]:
    run = work(runs.launch(team, "a", {"a": {"command": "echo new > new.txt"}}))
    WorkflowRun.objects.filter(pk=run.pk).update(finished_at=timezone.now() - timedelta(days=days))
    return run, Path(run.workspace_path)


def test_the_worktree_goes_and_the_branch_stays(team: Team) -> None:
    run, folder = ended(team)
    assert retention.remove_due() == 1
    assert not folder.exists()
    assert not worktree.store_of(folder).exists()
    repository = Path(team.project.path)
    assert git(repository, "show", f"{run.branch}:new.txt") == "new"
    assert str(folder) not in git(repository, "worktree", "list")
    assert AuditRecord.objects.filter(action="worktree.removed", subject=f"worktree:{run.pk}").count() == 1
    assert [breach for breach in checking.check(checking.Scope(run_id=run.pk)) if breach.invariant != 22] == []
    assert retention.remove_due() == 0


def test_a_recent_one_stays_and_so_does_that_of_a_run_that_is_not_over(team: Team) -> None:
    _, recent = ended(team, days=2)
    waiting, folder = half_done(team)
    failed = work(runs.launch(team, "a", {"a": {"command": "exit 1"}}))
    WorkflowRun.objects.filter(pk__in=[waiting.pk, failed.pk]).update(created_at=timezone.now() - timedelta(days=90))
    WorkflowRun.objects.filter(pk=failed.pk).update(finished_at=timezone.now() - timedelta(days=90))
    assert retention.remove_due() == 0
    assert recent.exists()
    assert folder.exists()
    assert Path(failed.workspace_path).exists()


def test_for_ever_means_for_ever(team: Team, settings: Settings) -> None:
    settings.WORKTREE_DAYS = 0
    _, folder = ended(team, days=4000)
    assert retention.remove_due() == 0
    assert folder.exists()


def test_changes_that_are_on_no_branch_are_never_removed(team: Team) -> None:
    run, folder = ended(team)
    tip = git(Path(team.project.path), "rev-parse", run.branch)
    (folder / "mine.txt").write_text("precious\n")
    assert retention.remove_due() == 0
    assert (folder / "mine.txt").read_text() == "precious\n"
    assert git(Path(team.project.path), "rev-parse", run.branch) == tip
    out = io.StringIO()
    call_command("remove_worktrees", stdout=out)
    assert "kept. It holds changes that are not on the run's branch." in out.getvalue()


def test_a_commit_that_somebody_made_there_keeps_it(team: Team) -> None:
    _, folder = ended(team)
    git(folder, "commit", "-q", "--allow-empty", "-m", "By hand")
    assert retention.remove_due() == 0


def test_the_command_says_first_and_does_then(team: Team) -> None:
    run, folder = ended(team)
    out = io.StringIO()
    call_command("remove_worktrees", "--dry-run", stdout=out)
    assert f"{team.project.slug}#{run.number}: would be removed" in out.getvalue()
    assert folder.exists()
    call_command("remove_worktrees", "--older-than", "19", stdout=out)
    assert not folder.exists()


def test_the_doctor_counts_what_is_overdue(team: Team) -> None:
    ended(team)
    assert [finding.status for finding in doctor.worktrees()] == ["warn"]
    retention.remove_due()
    assert [finding.status for finding in doctor.worktrees()] == ["ok"]
