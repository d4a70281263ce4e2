"""Attempts done for real: worktrees, git, processes, the byte store. Driven step by step, without threads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import Settings

from orchestration import worker
from orchestration.engine import controlling, launching, recovering
from orchestration.engine.errors import InvalidInput, Unlaunchable
from orchestration.hosting import AttemptHost
from orchestration.models import Artifact, LogChunk, WorkflowRun
from orchestration.worktree import store_of
from policy.models import Project
from tests.orchestration import runs
from tests.orchestration.repositories_of_tests import git, make_repository
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(tmp_path: Path, settings: Settings) -> Team:
    settings.WORKTREES_DIR = tmp_path / "worktrees"
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
    return runs.make_team(make_repository(tmp_path / "repository"))


def command(line: str, **more: Any) -> dict[str, Any]:
    return {"command": line, **more}


def work(run: WorkflowRun) -> WorkflowRun:
    """Everything that may start, done by the worker's own code."""
    assignment = worker.begin(run.pk, owner=runs.OWNER)
    while assignment is not None:
        assignment = worker.perform(assignment, AttemptHost(assignment, runs.OWNER))
        assignment = assignment or worker.begin(run.pk, owner=runs.OWNER)
    run.refresh_from_db()
    return run


def log_of(run: WorkflowRun, key: str) -> str:
    chunks = LogChunk.objects.filter(attempt__run=run, attempt__step_run__key=key).order_by("id")
    return "".join(chunks.values_list("text", flat=True))


def test_a_run_works_on_a_branch_of_its_own_and_leaves_the_checkout_alone(team: Team) -> None:
    repository = Path(team.project.path)
    run = work(runs.launch(team, "a >> b", {"a": command("echo new > new.txt"), "b": command("cat new.txt")}))
    assert run.state == "succeeded"
    assert log_of(run, "b") == "new\n"
    assert not (repository / "new.txt").exists()
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "show", f"{run.branch}:new.txt").strip() == "new"


def test_a_worktree_that_a_dead_process_left_half_made_is_made_anew(team: Team, settings: Settings) -> None:
    run = runs.launch(team, "a", {"a": command("true")})
    path = Path(settings.WORKTREES_DIR) / str(run.pk)
    git(Path(team.project.path), "worktree", "add", "--detach", "--no-checkout", str(path))
    store_of(path).mkdir()
    run = work(run)
    assert (run.state, run.workspace_path) == ("succeeded", str(path))


def test_a_step_s_change_is_a_diff_that_people_can_read(team: Team) -> None:
    run = work(runs.launch(team, "a", {"a": command("echo new > new.txt")}))
    diff = Artifact.objects.get(run=run, kind="diff")
    assert (diff.lineage["files"], diff.lineage["insertions"]) == (1, 1)
    assert diff.commit == run.workspace_commit


def test_a_retry_may_bring_the_files_back_first(team: Team) -> None:
    line = "test -e junk.txt && echo found || echo clean; echo junk > junk.txt; exit 3"
    run = work(runs.launch(team, "a", {"a": command(line)}))
    assert run.state == "failed"
    controlling.retry_step(run.pk, "a", reason="Again.", by=team.actor("ada"))
    run = work(run)
    controlling.retry_step(run.pk, "a", reason="Clean.", by=team.actor("ada"), restore_workspace=True)
    run = work(run)
    assert log_of(run, "a").split() == ["clean", "found", "found"]
    assert run.events.filter(type="run.workspace_restored").count() == 1


def test_a_restore_needs_an_earlier_state(team: Team) -> None:
    run = runs.launch(team, "a", {"a": {"type": "approval"}})
    runs.decide(team, run, "a", decision="reject")
    with pytest.raises(InvalidInput):
        controlling.retry_step(run.pk, "a", reason="Clean.", by=team.actor("ada"), restore_workspace=True)


def test_work_is_taken_up_again_after_the_database_was_away(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk while output is stored: the command has run once, and its result is found where it lies."""
    run = runs.launch(team, "a", {"a": command("echo ran >> ran.txt; echo said")})
    assignment = worker.begin(run.pk, owner=runs.OWNER)
    assert assignment is not None

    def full(*_: Any) -> None:
        raise OperationalError("database or disk is full")

    host = AttemptHost(assignment, runs.OWNER)
    with monkeypatch.context() as patched:
        patched.setattr(AttemptHost, "log", full)
        assert worker.perform(assignment, host) is None
    orphan = recovering.orphans(lambda owner: owner.endswith("let go"))[0]
    again = recovering.take_up(orphan, owner="another")
    assert again is not None
    worker.perform(again, AttemptHost(again, "another"))
    run.refresh_from_db()
    assert (run.state, runs.step_of(run, "a").attempt, log_of(run, "a")) == ("succeeded", 1, "said\n")
    assert git(Path(team.project.path), "show", f"{run.branch}:ran.txt") == "ran"


def test_a_missing_repository_refuses_the_launch_and_one_that_goes_away_fails_the_step(team: Team) -> None:
    workflow = runs.make_workflow(team, "a")
    run = launching.launch_run(workflow, inputs={}, by=team.actor("ada"))
    shutil.rmtree(team.project.path)
    run = work(run)
    assert (run.state, run.state_reason) == ("failed", "workspace")
    assert "not there" in runs.step_of(run, "a").error
    with pytest.raises(Unlaunchable, match="does not exist"):
        launching.launch_run(workflow, inputs={}, by=team.actor("ada"))


def test_a_repository_without_a_commit_says_what_to_do(team: Team, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    Project.objects.update(path=str(empty))
    with pytest.raises(Unlaunchable, match="commit something"):
        runs.launch(team, "a")


def test_a_bare_repository_is_as_good(team: Team, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", team.project.path, str(bare))
    Project.objects.update(path=str(bare))
    team.project.refresh_from_db()
    assert work(runs.launch(team, "a", {"a": command("ls")})).state == "succeeded"


def test_uncommitted_changes_are_no_part_of_a_run(team: Team) -> None:
    (Path(team.project.path) / "draft.txt").write_text("not yet")
    run = work(runs.launch(team, "a", {"a": command("ls")}))
    assert "draft.txt" not in log_of(run, "a")


def test_a_worktree_that_was_removed_fails_the_step_with_a_sentence(team: Team) -> None:
    run = runs.launch(team, "a >> b")
    first = worker.begin(run.pk, owner=runs.OWNER)
    assert first is not None
    second = worker.perform(first, AttemptHost(first, runs.OWNER))
    assert second is not None
    shutil.rmtree(second.workspace_path)
    worker.perform(second, AttemptHost(second, runs.OWNER))
    assert "removed from outside" in runs.step_of(run, "b").error


def test_a_folder_that_took_the_project_s_place_is_refused(team: Team) -> None:
    Project.objects.update(device=1, inode=1)
    run = work(runs.launch(team, "a"))
    assert (run.state, run.state_reason) == ("failed", "workspace")


def test_outputs_artifacts_and_a_failing_exit_are_kept(team: Team) -> None:
    line = 'echo tag=v1 >> "$CCDASH_OUTPUT"; echo report > "$CCDASH_ARTIFACTS/report.txt"; echo built > app.bin'
    said = {
        "a": command(line, outputs=["tag"], artifacts=[{"path": "*.bin", "kind": "binary"}]),
        "b": command('echo "$TAG"; exit 4', env={"TAG": "${{ steps.a.outputs.tag }}"}),
    }
    run = work(runs.launch(team, "a >> b", said))
    assert {(a.name, a.kind) for a in Artifact.objects.filter(run=run)} >= {
        ("report.txt", "file"),
        ("app.bin", "binary"),
    }
    step = runs.step_of(run, "b")
    assert (run.state, step.state_reason, step.exit_code) == ("failed", "exit", 4)
    assert log_of(run, "b") == "v1\n"


def test_a_declared_artifact_that_is_missing_fails_the_step(team: Team) -> None:
    run = work(runs.launch(team, "a", {"a": command("true", artifacts=[{"path": "dist/*.whl"}])}))
    assert runs.step_of(run, "a").state_reason == "artifact"


def test_a_timeout_ends_the_command_and_says_so(team: Team) -> None:
    run = work(runs.launch(team, "a", {"a": command("echo begun; sleep 60", timeout_seconds=0.5)}))
    assert (run.state, run.state_reason) == ("failed", "timeout")
    assert log_of(run, "a") == "begun\n"


def test_log_offsets_tile_and_odd_bytes_are_no_trouble(team: Team) -> None:
    line = r"printf 'caf\303\251 \377\000 \033[31mred\033[0m\n'; seq 1 30000"
    run = work(runs.launch(team, "a", {"a": command(line)}))
    chunks = list(LogChunk.objects.filter(attempt__run=run).order_by("offset"))
    assert len(chunks) > 1
    offset = 0
    for chunk in chunks:
        assert (chunk.offset, chunk.size) == (offset, len(chunk.text.encode()))
        offset += chunk.size
    text = log_of(run, "a")
    assert text.startswith("café �␀ \x1b[31mred")
    assert text.count("\n") == 30001


def test_a_validation_step_looks_at_the_workspace(team: Team) -> None:
    checks = [
        {"kind": "file", "path": "new.txt", "matches": "ne."},
        {"kind": "command", "command": "grep -q new new.txt"},
        {"kind": "expression", "expression": "steps.a.exit_code == 0"},
    ]
    said = {"a": command("echo new > new.txt"), "v": {"type": "validation", "checks": checks}}
    run = work(runs.launch(team, "a >> v", said))
    assert run.state == "succeeded"
    assert [check["passed"] for check in runs.step_of(run, "v").checks] == [True, True, True]
