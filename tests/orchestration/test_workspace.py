"""Where a run may touch files, and what a project's folder is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestration.git import GitError
from orchestration.repositories import inspect_repository, resolve_commit
from orchestration.workspace import Workspace, WorkspaceError, open_parts
from tests.orchestration.repositories_of_tests import git, make_repository

pytestmark = pytest.mark.pure


# paths


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "root/in").mkdir(parents=True)
    (tmp_path / "root/in/file.txt").write_text("inside")
    (tmp_path / "root-beside").mkdir()
    (tmp_path / "root-beside/secret").write_text("outside")
    return Workspace(tmp_path / "root")


@pytest.mark.parametrize(
    "path", ["in/file.txt", "./in/file.txt", "in/../in/file.txt", "in//file.txt", "alias/file.txt"]
)
def test_whatever_stays_inside_is_found(workspace: Workspace, path: str) -> None:
    (workspace.root / "alias").symlink_to("in")

    assert workspace.within(path) == "in/file.txt"
    with os.fdopen(workspace.open_beneath(path)) as file:
        assert file.read() == "inside"


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../root-beside/secret",
        "in/../../root-beside/secret",
        "/etc/passwd",
        "out/secret",
        "out-file",
        "a\0b",
        "loop/x",
    ],
)
def test_whatever_leads_out_is_refused(workspace: Workspace, path: str) -> None:
    (workspace.root / "out").symlink_to(workspace.root.parent / "root-beside")
    (workspace.root / "out-file").symlink_to("../root-beside/secret")
    (workspace.root / "loop").symlink_to("loop")

    with pytest.raises(WorkspaceError):
        workspace.open_beneath(path)


def test_a_path_that_does_not_exist_yet_can_be_resolved(workspace: Workspace) -> None:
    assert workspace.resolve("new/deep/file") == workspace.root.resolve() / "new/deep/file"


def test_a_folder_swapped_for_a_link_after_the_check_is_not_followed(workspace: Workspace) -> None:
    parts = workspace.within("in/file.txt").split("/")
    (workspace.root / "in").rename(workspace.root / "was")
    (workspace.root / "in").symlink_to(workspace.root.parent / "root-beside")

    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        open_parts(workspace.root, parts)


def test_a_pipe_does_not_hold_up_whoever_opens_it(workspace: Workspace) -> None:
    os.mkfifo(workspace.root / "pipe")

    with pytest.raises(WorkspaceError, match="no regular file"):
        workspace.open_beneath("pipe")


def test_a_workspace_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="not there"):
        Workspace(tmp_path / "gone").resolve("x")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository", one="1\n", two="2\n2\n", three="3\n")


# what a folder is


def test_a_repository_tells_head_branch_and_changed_files(repository: Path) -> None:
    (repository / "one.txt").write_text("changed")
    (repository / "new.txt").touch()
    (repository / "two.txt").write_text("staged")
    git(repository, "add", "two.txt")

    facts = inspect_repository(repository)

    assert (facts.kind, facts.branch, facts.dirty, facts.is_usable) == ("worktree", "main", 3, True)
    assert facts.head == git(repository, "rev-parse", "HEAD")
    assert facts.git_folder == repository / ".git"


def test_a_clean_repository_has_no_changed_files(repository: Path) -> None:
    assert inspect_repository(repository).dirty == 0


@pytest.mark.parametrize(
    ("place", "kind", "is_usable"),
    [
        ("gone", "missing", False),
        ("file", "missing", False),
        ("plain", "plain", True),
        ("empty", "empty", False),
        ("bare.git", "bare", True),
        ("repository/below", "inside", False),
        ("broken", "broken", False),
    ],
)
def test_every_kind_of_folder_is_told_apart(repository: Path, place: str, kind: str, is_usable: bool) -> None:
    root = repository.parent
    (root / "file").touch()
    (root / "plain").mkdir()
    (root / "empty").mkdir()
    git(root / "empty", "init", "-q")
    git(root, "clone", "-q", "--bare", str(repository), "bare.git")
    (repository / "below").mkdir()
    (root / "broken/.git").mkdir(parents=True)

    facts = inspect_repository(root / place)

    assert (facts.kind, facts.is_usable) == (kind, is_usable)
    assert bool(facts.problem) != is_usable


def test_a_commit_is_found_by_any_of_its_names(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")

    assert resolve_commit(repository, "main") == resolve_commit(repository, head[:10]) == head
    for name in ("nonsense", "--help", ""):
        with pytest.raises(GitError):
            resolve_commit(repository, name)
