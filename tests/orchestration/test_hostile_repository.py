"""A repository whose configuration, attributes and missing objects would run programs of its own: none of our calls of
git runs one. Each trap leaves a file where it is sprung."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from orchestration import git as product_git
from orchestration import repositories, worktree
from orchestration.workspace import WorkspaceError
from tests.orchestration.repositories_of_tests import git, make_repository

pytestmark = pytest.mark.pure
EVIL = "touch {pit}/{name}"


def script(pit: Path, name: str) -> str:
    """A program of the attacker's, as one word."""
    path = pit.parent / f"run-{name}"
    path.write_text(f"#!/bin/sh\ntouch {pit}/{name}\nexit 1\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def pit(tmp_path: Path) -> Path:
    folder = tmp_path / "pit"
    folder.mkdir()
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository", one="1\n", two="2\n")


def configure(repository: Path, **values: str) -> None:
    for name, value in values.items():
        git(repository, "config", name.replace("__", "."), value)


def set_up(repository: Path, pit: Path) -> None:
    """Everything in one file that the repository's own configuration includes."""
    included = pit.parent / "included"
    traps = {
        "core.fsmonitor": script(pit, "fsmonitor"),
        "core.sshCommand": script(pit, "ssh"),
        "core.askPass": script(pit, "askpass"),
        "core.editor": script(pit, "editor"),
        "core.pager": script(pit, "pager"),
        "core.gitProxy": script(pit, "proxy"),
        "core.alternateRefsCommand": script(pit, "alternates"),
        "core.hooksPath": str(hooks(pit)),
        "credential.helper": f"!{script(pit, 'credential')}",
        "diff.external": script(pit, "external"),
        "diff.trap.command": script(pit, "driver"),
        "diff.trap.textconv": script(pit, "textconv"),
        "filter.trap.clean": script(pit, "clean"),
        "filter.trap.smudge": script(pit, "smudge"),
        "filter.trap.process": script(pit, "process"),
        "filter.trap.required": "true",
        "merge.trap.driver": script(pit, "merge"),
        "gpg.program": script(pit, "gpg"),
        "commit.gpgSign": "true",
        "log.showSignature": "true",
        "submodule.recurse": "true",
        "submodule.vendored.update": f"!{script(pit, 'submodule')}",
        "uploadpack.packObjectsHook": script(pit, "packhook"),
        "trailer.trap.command": script(pit, "trailer"),
        **{
            f"alias.{name}": f"!{script(pit, 'alias')}" for name in ("add", "rev-parse", "worktree", "status", "config")
        },
        **{f"pager.{name}": script(pit, "pager") for name in ("diff", "log", "diff-tree", "ls-files")},
    }
    for name, value in traps.items():
        git(repository, "config", "--file", str(included), name, value)
    git(repository, "config", "include.path", str(included))


def hooks(pit: Path) -> Path:
    folder = pit.parent / "hooks"
    folder.mkdir()
    names = (
        "post-checkout reference-transaction post-index-change pre-commit post-commit post-rewrite fsmonitor-watchman"
    )
    for name in names.split():
        (folder / name).write_text(f"#!/bin/sh\ntouch {pit}/hook-{name}\n")
        (folder / name).chmod(0o755)
    return folder


def everything(repository: Path) -> None:
    """All that the product asks git about a repository in the life of a run."""
    repositories.inspect_repository(repository)
    commit = repositories.resolve_commit(repository, "main")
    path = repository.parent / "worktrees/run-1"
    run = worktree.create_run_worktree(repository, path, base_commit=commit, branch="ccdash/search-1")
    first = worktree.snapshot(run)
    (run.path / "one.txt").write_text("changed\n")
    (run.path / "new.txt").write_text("new\n")
    second = worktree.snapshot(run)
    assert worktree.diff(run, first.tree, second.tree).files == 2
    git_as_a_command_does(run.path)
    worktree.snapshot(run)
    worktree.restore(run, first.commit, head=first.head)
    worktree.head_of(run)
    worktree.remove_worktree(run)


def git_as_a_command_does(folder: Path) -> None:
    """A commit of a command's own moves HEAD, so that the product looks at it."""
    commit = (
        product_git.run("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "By a command", cwd=folder).decode().strip()
    )
    product_git.run("update-ref", "--no-deref", "HEAD", commit, cwd=folder)


def test_what_the_configuration_names_is_never_run(repository: Path, pit: Path) -> None:
    (repository / ".gitattributes").write_text("* filter=trap diff=trap merge=trap\n")
    (repository / ".gitmodules").write_text(
        '[submodule "vendored"]\n\tpath = vendored\n\turl = ext::sh -c touch% pit\n'
    )
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Attributes")
    set_up(repository, pit)

    everything(repository)

    assert [path.name for path in pit.iterdir()] == []


def test_the_traps_are_real(repository: Path, pit: Path) -> None:
    set_up(repository, pit)
    with suppress(Exception):
        git(repository, "status")
    with suppress(Exception):
        git(repository, "commit", "--allow-empty", "-m", "x")

    assert {"fsmonitor", "gpg"} <= {path.name for path in pit.iterdir()}


REMOTES: dict[str, Callable[[Path, Path], dict[str, str]]] = {
    "ssh": lambda pit, _: {"remote__origin__url": "ssh://host/x", "core__sshCommand": script(pit, "ssh")},
    "local": lambda pit, other: {
        "remote__origin__url": str(other), "remote__origin__uploadpack": script(pit, "uploadpack"),
    },
    "ext": lambda pit, _: {"remote__origin__url": f"ext::{script(pit, 'ext')}", "protocol__ext__allow": "always"},
}  # fmt: skip


@pytest.mark.parametrize("kind", REMOTES)
@pytest.mark.parametrize("missing", ["HEAD", "HEAD^{tree}", "HEAD:one.txt"])
def test_an_object_that_is_missing_is_not_fetched_from_anywhere(
    repository: Path, pit: Path, tmp_path: Path, kind: str, missing: str
) -> None:
    """A partial clone would ask its remote, with whatever program the configuration names."""
    other = make_repository(tmp_path / "other")
    name = git(repository, "rev-parse", missing)
    configure(repository, core__repositoryFormatVersion="1", extensions__partialClone="origin")
    configure(repository, remote__origin__promisor="true", **REMOTES[kind](pit, other))
    (repository / f".git/objects/{name[:2]}/{name[2:]}").unlink()

    with suppress(CalledProcessError):
        git(repository, "cat-file", "-p", name)
    assert list(pit.iterdir()), "the trap is not set"
    for sprung in pit.iterdir():
        sprung.unlink()

    with suppress(WorkspaceError, AssertionError):
        everything(repository)
    with suppress(WorkspaceError):
        repositories.inspect_repository(repository)

    assert [path.name for path in pit.iterdir()] == []
