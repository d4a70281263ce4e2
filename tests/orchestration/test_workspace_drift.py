"""Files that change behind a run's back: nothing starts on them before people have said which state holds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from orchestration import worker
from orchestration.engine import controlling, deciding, finishing
from orchestration.engine.errors import WrongState
from orchestration.engine.starting import Assignment
from orchestration.hosting import AttemptHost
from orchestration.invariants import checking
from orchestration.models import LogChunk, WorkflowRun
from orchestration.reading import impacts
from policy import secrets
from policy.actors import Actor
from policy.errors import SelfApproval
from policy.models import Approval, AuditRecord
from tests.orchestration import runs
from tests.orchestration.repositories_of_tests import git, make_repository
from tests.orchestration.runs import Team
from tests.orchestration.worktree_runs import drifted, half_done, work

pytestmark = pytest.mark.django_db
GATE = {"type": "approval"}
PUSH = {"command": "git push origin main"}


@pytest.fixture
def team(tmp_path: Path, settings: Settings) -> Team:
    settings.WORKTREES_DIR = tmp_path / "worktrees"
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
    return runs.make_team(make_repository(tmp_path / "repository"))


def accept_as_grace(team: Team, run: WorkflowRun) -> None:
    """Of a risky step it takes somebody who has just signed in."""
    approval = runs.step_of(run, "b").approval
    assert approval is not None
    assert approval.level == "elevated"
    grace = Actor.for_command(team.grace, authenticated_at=timezone.now())
    deciding.decide_approval(run.pk, "b", decision="approve", reason="Fine.", digest=approval.digest, by=grace)


def log_of(run: WorkflowRun, key: str) -> str:
    chunks = LogChunk.objects.filter(attempt__run=run, attempt__step_run__key=key).order_by("id")
    return "".join(chunks.values_list("text", flat=True))


def assert_sound(run: WorkflowRun) -> None:
    assert list(checking.check(checking.Scope(run_id=run.pk))) == []


def test_a_changed_file_blocks_the_next_step_and_says_which(team: Team) -> None:
    run, _ = drifted(team)
    assert (run.state, run.state_reason) == ("blocked", "workspace_drift")
    step = runs.step_of(run, "b")
    assert step.approval is not None
    assert (step.state_reason, step.attempt, step.approval.kind) == ("workspace_drift", 0, "override")
    assert step.approval.facts["drift"]["files"] == [{"path": "a.txt", "change": "changed"}]
    assert "+two" in step.approval.facts["drift"]["patch"]
    assert AuditRecord.objects.filter(run=str(run.pk), action="run.drift_found").count() == 1
    assert_sound(run)


def test_files_that_agree_start_without_a_word(team: Team) -> None:
    run, _ = half_done(team)
    runs.decide(team, run, "g")
    assert work(run).state == "succeeded"
    assert not run.events.filter(type="run.drift_found").exists()


def test_accepted_files_are_the_run_s_from_then_on(team: Team) -> None:
    run, _ = drifted(team)
    runs.decide(team, run, "b")
    assert work(run).state == "succeeded"
    assert log_of(run, "b") == "two\n"
    assert git(Path(team.project.path), "show", f"{run.branch}:a.txt") == "two"
    assert AuditRecord.objects.get(run=str(run.pk), action="run.drift_accepted").reason == "I looked."
    assert_sound(run)


def test_who_launched_the_run_can_not_accept_its_drift(team: Team) -> None:
    run, _ = drifted(team)
    with pytest.raises(SelfApproval):
        runs.decide(team, run, "b", by="ada")


def test_a_restore_brings_back_what_the_last_step_left(team: Team) -> None:
    run, folder = drifted(team)
    (folder / "junk.txt").write_text("more\n")
    controlling.retry_step(run.pk, "b", reason="Clean.", by=team.actor("ada"), restore_workspace=True)
    assert work(run).state == "succeeded"
    assert log_of(run, "b") == "one\n"
    assert not (folder / "junk.txt").exists()
    assert_sound(run)


def test_files_put_back_by_hand_let_the_run_resume(team: Team) -> None:
    run, folder = drifted(team)
    controlling.resume_run(run.pk, reason="Still wrong.", by=team.actor("ada"))
    assert work(run).state_reason == "workspace_drift"
    (folder / "a.txt").write_text("one\n")
    controlling.resume_run(run.pk, reason="Put back.", by=team.actor("ada"))
    assert work(run).state == "succeeded"
    assert_sound(run)


def test_refused_files_fail_the_step_which_a_restoring_retry_mends(team: Team) -> None:
    run, _ = drifted(team)
    runs.decide(team, run, "b", decision="reject")
    run.refresh_from_db()
    assert (run.state, run.state_reason) == ("failed", "workspace_drift")
    controlling.retry_step(run.pk, "b", reason="Clean.", by=team.actor("ada"), restore_workspace=True)
    assert work(run).state == "succeeded"
    assert log_of(run, "b") == "one\n"


def test_what_was_approved_on_other_files_is_asked_again(team: Team) -> None:
    """Approve, then change what the command runs: the approval is gone, whichever way the files are settled."""
    run, folder = half_done(team, PUSH)
    runs.decide(team, run, "g")
    work(run)
    first = runs.step_of(run, "b").approval
    assert first is not None
    runs.decide(team, run, "b")
    (folder / "a.txt").write_text("two\n")
    assert work(run).state_reason == "workspace_drift"
    accept_as_grace(team, run)
    run = work(run)
    assert (run.state, run.state_reason, runs.step_of(run, "b").attempt) == ("blocked", "policy", 0)
    first.refresh_from_db()
    assert first.state == "superseded"
    assert_sound(run)


def test_another_change_after_the_acceptance_blocks_again(team: Team) -> None:
    run, folder = drifted(team)
    runs.decide(team, run, "b")
    (folder / "a.txt").write_text("three\n")
    assert work(run).state_reason == "workspace_drift"
    assert Approval.objects.filter(kind="override").count() == 2


def test_one_word_settles_it_for_all_steps_that_wait(team: Team) -> None:
    run = work(runs.launch(team, "a >> g >> b, c", {"g": GATE}))
    Path(run.workspace_path, "new.txt").write_text("new\n")
    runs.decide(team, run, "g")
    assert set(runs.states(work(run)).values()) == {"succeeded", "awaiting_approval"}
    runs.decide(team, run, "c")
    assert work(run).state == "succeeded"
    assert_sound(run)


def test_a_commit_made_by_hand_is_drift_even_when_no_file_differs(team: Team) -> None:
    run, folder = half_done(team)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "By hand")
    runs.decide(team, run, "g")
    assert work(run).state_reason == "workspace_drift"
    controlling.retry_step(run.pk, "b", reason="Back.", by=team.actor("ada"), restore_workspace=True)
    assert work(run).state == "succeeded"


def test_a_step_that_commits_is_no_drift(team: Team) -> None:
    steps = {"a": {"command": "echo x > x.txt; git add -A; git commit -qm x"}, "g": GATE}
    run = work(runs.launch(team, "a >> g >> b", steps))
    runs.decide(team, run, "g")
    assert work(run).state == "succeeded"


@pytest.mark.parametrize("gone", ["folder", "store", "both"])
def test_a_worktree_that_is_gone_can_be_restored_but_not_accepted(team: Team, gone: str) -> None:
    run, folder = half_done(team)
    runs.decide(team, run, "g")
    for path in {"folder": [folder], "store": [Path(f"{folder}.store")]}.get(gone, [folder, Path(f"{folder}.store")]):
        shutil.rmtree(path)
    assert work(run).state_reason == "workspace_drift"
    with pytest.raises(WrongState):
        runs.decide(team, run, "b")
    controlling.retry_step(run.pk, "b", reason="Bring it back.", by=team.actor("ada"), restore_workspace=True)
    assert work(run).state == "succeeded"
    assert log_of(run, "b") == "one\n"
    assert git(Path(team.project.path), "show", f"{run.branch}:a.txt") == "one"


def test_secrets_in_changed_files_are_not_told(team: Team) -> None:
    secrets.set_secret(team.project, "TOKEN", "tok-4e7a9b2c-secret", by=Actor.for_shell())
    run, folder = half_done(team)
    (folder / "a.txt").write_text("tok-4e7a9b2c-secret\n")
    runs.decide(team, run, "g")
    step = runs.step_of(work(run), "b")
    assert step.approval is not None
    assert "tok-4e7a9b2c" not in str(step.approval.facts)


def test_the_impact_sheet_names_the_changed_files(team: Team) -> None:
    run, _ = drifted(team)
    sheet = impacts.impact_of(run, "retry-step", "b", by=team.actor("ada"))
    assert sheet["files_changed_outside"] == ["a.txt"]
    assert sheet["approvals_lapsing"] == ["b"]


def test_the_second_press_changes_nothing(team: Team) -> None:
    run, _ = drifted(team)
    digest = runs.step_of(run, "b").digest
    runs.decide(team, run, "b")
    with pytest.raises(WrongState):
        deciding.decide_approval(
            run.pk, "b", decision="approve", reason="Again.", digest=digest, by=team.actor("edsger")
        )


def test_of_steps_that_end_at_the_same_moment_the_later_look_counts(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is overtaken between its look at the files and its commit: what it saw is not what there is."""
    steps = {"a": {"command": "echo a > a.txt"}, "b": {"command": "echo b > b.txt"}, "g": GATE}
    run = runs.launch(team, "a, b >> g >> c", steps)
    slow, fast = begun(run), begun(run)
    finish = finishing.finish_attempt

    def overtaken(assignment: Assignment, *arguments: Any, **named: Any) -> Assignment | None:
        if assignment is slow and runs.states(run)[fast.step_key] == "running":
            perform(fast)
        return finish(assignment, *arguments, **named)

    monkeypatch.setattr(finishing, "finish_attempt", overtaken)
    perform(slow)
    runs.decide(team, run, "g")
    assert work(run).state == "succeeded"
    assert not run.events.filter(type="run.drift_found").exists()
    assert_sound(run)


def begun(run: WorkflowRun) -> Assignment:
    assignment = worker.begin(run.pk, owner=runs.OWNER)
    assert assignment is not None
    return assignment


def perform(assignment: Assignment) -> None:
    worker.perform(assignment, AttemptHost(assignment, runs.OWNER), wants_next=lambda: False)
