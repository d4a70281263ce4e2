"""A run's worktree with a real git: made, photographed, compared, put back; nothing of the repository is run."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from orchestration import fingerprints, worktree
from orchestration.repositories import inspect_repository
from orchestration.workspace import WorkspaceError
from orchestration.worktree import RunWorktree
from tests.orchestration.repositories_of_tests import git, make_repository, set_traps

pytestmark = pytest.mark.pure


# a run's worktree


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository", one="1\n", two="2\n2\n", three="3\n")


def open_run(repository: Path, number: int = 1) -> RunWorktree:
    base = git(repository, "rev-parse", "HEAD")
    path = repository.parent / "worktrees" / f"run-{number}"
    return worktree.create_run_worktree(repository, path, base_commit=base, branch=f"ccdash/search-{number}")


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".git"}


def test_a_run_gets_the_base_commit_detached_and_a_branch_of_its_own(repository: Path) -> None:
    run = open_run(repository)

    base = git(repository, "rev-parse", "main")
    assert names_in(run.path) == {"one.txt", "two.txt", "three.txt"}
    assert git(run.path, "rev-parse", "HEAD") == base == git(repository, "rev-parse", "ccdash/search-1")
    assert git(run.path, "status", "--porcelain", "--branch") == "## HEAD (no branch)"


def test_the_difference_of_a_step_is_what_it_changed_added_and_removed(repository: Path) -> None:
    run = open_run(repository)
    before = worktree.snapshot(run)
    (run.path / "one.txt").write_text("1\nmore\n")
    (run.path / "two.txt").unlink()
    (run.path / "new").mkdir()
    (run.path / "new/ü \n.txt").write_text("new\n")

    after = worktree.snapshot(run, message="Step build")
    difference = worktree.diff(run, before.tree, after.tree)

    assert (difference.files, difference.insertions, difference.deletions) == (3, 2, 2)
    assert b"+more" in difference.patch
    assert git(repository, "log", "--format=%an %s", "main..ccdash/search-1") == "CCDash Workbench Step build"


def test_folders_may_turn_into_files_and_links_and_back(repository: Path) -> None:
    run = open_run(repository)
    first = worktree.snapshot(run)
    (run.path / "one.txt").unlink()
    (run.path / "one.txt").mkdir()
    (run.path / "one.txt/inside").write_text("x")
    second = worktree.snapshot(run)
    (run.path / "one.txt/inside").unlink()
    (run.path / "one.txt").rmdir()
    (run.path / "one.txt").symlink_to("/etc")

    third = worktree.snapshot(run)

    assert worktree.diff(run, second.tree, third.tree).files == 2
    assert worktree.restore(run, first.commit).tree == first.tree
    assert (run.path / "one.txt").read_text() == "1\n"


def test_nothing_changed_is_known_without_asking_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(repository)
    monkeypatch.setattr("orchestration.git.ask", lambda *_, **__: pytest.fail("git was asked"))

    assert not worktree.snapshot(run).changed


def test_a_change_that_keeps_size_and_modification_time_is_seen(repository: Path) -> None:
    run = open_run(repository)
    before = (run.path / "one.txt").stat()
    (run.path / "one.txt").write_text("!\n")
    os.utime(run.path / "one.txt", ns=(before.st_atime_ns, before.st_mtime_ns))

    assert worktree.snapshot(run).changed


def test_what_was_written_this_very_moment_can_not_be_vouched_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    assert fingerprints.take(tmp_path) == ""
    fingerprints.settle(tmp_path)
    assert fingerprints.take(tmp_path) == fingerprints.take(tmp_path) != ""


def test_ignored_files_are_neither_photographed_nor_thrown_away(repository: Path) -> None:
    (repository / ".gitignore").write_text("cache/\n")
    git(repository, "add", ".gitignore")
    git(repository, "commit", "-q", "-m", "Ignore")
    (repository / ".git/info/exclude").write_text("*.tmp\n")
    run = open_run(repository)
    first = worktree.snapshot(run)
    (run.path / "cache").mkdir()
    (run.path / "cache/x").touch()
    (run.path / "y.tmp").touch()

    assert worktree.snapshot(run).tree == first.tree
    worktree.restore(run, first.commit)
    assert names_in(run.path) >= {"cache", "y.tmp"}


def test_a_retry_can_have_the_tree_as_it_was(repository: Path) -> None:
    run = open_run(repository)
    (run.path / "kept.txt").write_text("kept")
    good = worktree.snapshot(run)
    (run.path / "kept.txt").write_text("spoilt")
    (run.path / "one.txt").unlink()
    (run.path / "mess").mkdir()
    (run.path / "mess/a").touch()
    worktree.snapshot(run)

    restored = worktree.restore(run, good.commit)

    assert restored.tree == good.tree
    assert names_in(run.path) == {"one.txt", "two.txt", "three.txt", "kept.txt"}
    assert (run.path / "kept.txt").read_text() == "kept"
    assert git(repository, "rev-parse", "ccdash/search-1") == good.commit
    assert not worktree.snapshot(run).changed


def test_commits_that_a_command_makes_are_kept_as_parents_and_can_be_taken_back(repository: Path) -> None:
    run = open_run(repository)
    first = worktree.snapshot(run)
    (run.path / "one.txt").write_text("committed")
    git(run.path, "commit", "-q", "-a", "-m", "Its own")
    own = git(run.path, "rev-parse", "HEAD")

    second = worktree.snapshot(run)

    assert second.head == own
    assert git(repository, "rev-parse", "ccdash/search-1^1", "ccdash/search-1^2").split() == [first.commit, own]
    worktree.restore(run, first.commit, head=first.head)
    assert git(run.path, "rev-parse", "HEAD") == first.head


def test_a_worktree_that_a_command_put_on_a_branch_is_still_photographed(repository: Path) -> None:
    run = open_run(repository)
    git(run.path, "checkout", "-q", "-b", "topic")
    (run.path / "one.txt").write_text("x")
    git(run.path, "commit", "-q", "-a", "-m", "On topic")

    assert worktree.snapshot(run).head == git(repository, "rev-parse", "topic")


def test_the_users_own_index_stash_branch_and_files_stay_as_they_are(repository: Path) -> None:
    (repository / "one.txt").write_text("stashed")
    git(repository, "stash")
    (repository / "two.txt").write_text("staged")
    git(repository, "add", "two.txt")
    (repository / "three.txt").write_text("not staged")

    def facts() -> tuple[object, ...]:
        told = [
            git(repository, *words) for words in (("stash", "list"), ("symbolic-ref", "HEAD"), ("rev-parse", "main"))
        ]
        return (*told, (repository / ".git/index").read_bytes(), (repository / "three.txt").read_text())

    before = facts()
    run = open_run(repository)
    (run.path / "one.txt").write_text("changed by a step")
    first = worktree.snapshot(run)
    worktree.restore(run, first.commit)
    worktree.remove_worktree(run)

    assert facts() == before


def test_nothing_that_a_repository_names_is_ever_run(repository: Path, tmp_path: Path) -> None:
    (repository / ".gitattributes").write_text("* filter=trap diff=trap\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Attributes")
    set_traps(repository, tmp_path / "pit")

    run = open_run(repository)
    first = worktree.snapshot(run)
    (run.path / "one.txt").write_text("changed\n")
    nested = make_repository(run.path / "nested")
    set_traps(nested, tmp_path / "pit-of-nested")
    second = worktree.snapshot(run)
    worktree.diff(run, first.tree, second.tree)
    worktree.restore(run, first.commit, head=first.head)
    inspect_repository(repository)
    worktree.remove_worktree(run)

    assert list((tmp_path / "pit").iterdir()) == []
    assert list((tmp_path / "pit-of-nested").iterdir()) == []


def test_a_submodule_that_a_command_filled_is_not_asked_anything(repository: Path, tmp_path: Path) -> None:
    library = make_repository(tmp_path / "library")
    git(repository, "submodule", "--quiet", "add", str(library), "vendored")
    git(repository, "commit", "-q", "-m", "Submodule")
    run = open_run(repository)
    first = worktree.snapshot(run)
    git(run.path, "submodule", "--quiet", "update", "--init")
    inner = Path(git(run.path / "vendored", "rev-parse", "--absolute-git-dir"))
    git(run.path / "vendored", "config", "core.fsmonitor", f"touch {tmp_path}/ran; false")
    (run.path / "vendored/readme.txt").write_text("dirty")
    (run.path / "one.txt").write_text("changed")

    second = worktree.snapshot(run)

    assert inner.is_dir()
    assert worktree.diff(run, first.tree, second.tree).files == 1
    assert not (tmp_path / "ran").exists()


def test_nested_repositories_and_very_large_files_are_left_out_and_named(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worktree, "MAX_FILE_BYTES", 1000)
    run = open_run(repository)
    make_repository(run.path / "nested")
    (run.path / "huge").write_bytes(bytes(1001))
    (run.path / "fine").write_bytes(bytes(1000))

    taken = worktree.snapshot(run)

    assert set(taken.skipped) == {"nested", "huge"}
    assert git(repository, "ls-tree", "--name-only", taken.tree).split() == ["fine", "one.txt", "three.txt", "two.txt"]


def test_a_patch_that_is_too_long_is_cut(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worktree, "MAX_DIFF_BYTES", 500)
    run = open_run(repository)
    first = worktree.snapshot(run)
    (run.path / "long.txt").write_text("line\n" * 1000)

    difference = worktree.diff(run, first.tree, worktree.snapshot(run).tree)

    assert (len(difference.patch), difference.truncated, difference.insertions) == (500, True, 1000)


def test_a_bare_repository_serves_as_well(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    run = open_run(tmp_path / "bare.git")
    (run.path / "one.txt").write_text("x")

    assert worktree.snapshot(run).commit == git(tmp_path / "bare.git", "rev-parse", "ccdash/search-1")


def test_a_repository_of_sha256_names_serves_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", "--object-format=sha256")
    git(folder, "commit", "-q", "--allow-empty", "-m", "First")
    run = open_run(folder)
    (run.path / "one.txt").write_text("x")

    assert len(worktree.snapshot(run).commit) == 64


def test_many_runs_of_one_repository_start_at_once(repository: Path) -> None:
    made: list[RunWorktree] = []
    threads = [
        threading.Thread(target=lambda number=number: made.append(open_run(repository, number))) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {run.path.name for run in made} == {f"run-{number}" for number in range(8)}
    assert all(names_in(run.path) == {"one.txt", "two.txt", "three.txt"} for run in made)


def test_a_restarted_server_finds_the_worktree_as_it_was_noted(repository: Path) -> None:
    run = open_run(repository)
    (run.path / ".git").write_text("gitdir: /somewhere/else\n")

    again = worktree.open_run_worktree(run.path)

    assert again == run
    (run.path / "one.txt").write_text("x")
    assert worktree.snapshot(again).changed


def test_removing_a_run_leaves_its_branch_and_nothing_else(repository: Path) -> None:
    run = open_run(repository)
    (run.path / "closed").mkdir()
    (run.path / "closed/file").touch()
    (run.path / "closed").chmod(0o500)

    worktree.remove_worktree(run)

    assert git(repository, "branch", "--list", "ccdash/*").strip() == "ccdash/search-1"
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert [path.name for path in run.path.parent.iterdir() if not path.name.startswith(".")] == []


def test_a_worktree_that_is_gone_is_told(repository: Path) -> None:
    run = open_run(repository)
    worktree.remove_worktree(run)

    with pytest.raises(WorkspaceError, match="not there"):
        worktree.snapshot(run)
    with pytest.raises(WorkspaceError, match="not the worktree"):
        worktree.open_run_worktree(run.path)


@pytest.mark.parametrize(
    ("base", "branch"), [("main", "ccdash/x"), ("0" * 40, "ccdash/x"), (None, "bad..name"), (None, "-x")]
)
def test_a_base_or_branch_that_can_not_be_is_refused(repository: Path, base: str | None, branch: str) -> None:
    commit = base or git(repository, "rev-parse", "HEAD")

    with pytest.raises(WorkspaceError):
        worktree.create_run_worktree(repository, repository.parent / "worktrees/x", base_commit=commit, branch=branch)
