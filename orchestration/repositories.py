"""What a project's folder is, for people and for the launch of a run: looked at, never changed.

The number of changed files is found through a git folder of ours, so that looking runs nothing of it.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestration import git
from orchestration.worktree import store_config

PLAIN = "This folder is no git repository: runs work in it as it is, without a branch, diffs or restoring."
EMPTY = "The repository has no commit yet; commit something before the first run."
MISSING = "The folder does not exist."
NO_FOLDER = "The path is not a folder."
INSIDE = "The folder lies inside the repository {root!r}; register that instead."
BROKEN = "The repository can't be read: {error}"


@dataclass(frozen=True)
class RepositoryFacts:
    """`kind` is worktree, bare, plain, missing, empty, inside or broken; `problem` says why runs can't use it."""

    kind: str
    problem: str = ""
    note: str = ""
    head: str = ""
    branch: str = ""
    dirty: int = 0
    git_folder: Path | None = None

    @property
    def is_usable(self) -> bool:
        return not self.problem


def inspect_repository(path: Path) -> RepositoryFacts:
    if not path.exists():
        return RepositoryFacts("missing", MISSING)
    if not path.is_dir():
        return RepositoryFacts("missing", NO_FOLDER)
    found = git.ask(
        "rev-parse", "--path-format=absolute", "--is-bare-repository", "--git-dir", "--git-common-dir", cwd=path
    )
    if found.code != 0:
        return _without_repository(path, found.error)
    bare, own, common = os.fsdecode(found.out).splitlines()
    head = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}", cwd=path).text
    kind = "bare" if bare == "true" else "worktree"
    if not head:
        return RepositoryFacts("empty", EMPTY, branch=_branch(path), git_folder=Path(common))
    dirty = 0 if kind == "bare" else _dirty(path, Path(own), Path(common), head)
    return RepositoryFacts(kind, head=head, branch=_branch(path), dirty=dirty, git_folder=Path(common))


def resolve_commit(path: Path, name: str) -> str:
    """The full name of the commit that a branch, tag or short name stands for; GitError when there is none."""
    answer = git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", cwd=path)
    if answer.code != 0:
        raise git.GitError(f"The repository has no commit {name!r}.")
    return answer.text


def _without_repository(path: Path, error: str) -> RepositoryFacts:
    if (path / ".git").exists() or (path / "HEAD").is_file():
        return RepositoryFacts("broken", BROKEN.format(error=(error.strip().splitlines() or ["unknown"])[-1][:300]))
    around = git.ask("rev-parse", "--show-toplevel", cwd=path, env={"GIT_CEILING_DIRECTORIES": ""})
    if around.code == 0 and around.text:
        return RepositoryFacts("inside", INSIDE.format(root=around.text))
    return RepositoryFacts("plain", note=PLAIN)


def _branch(path: Path) -> str:
    return git.ask("symbolic-ref", "--quiet", "--short", "HEAD", cwd=path).text


def _dirty(path: Path, own: Path, common: Path, head: str) -> int:
    """Files that differ from HEAD, new ones included."""
    object_format = git.run("rev-parse", "--show-object-format", cwd=path).decode().strip()
    with tempfile.TemporaryDirectory(prefix="ccdash-look-") as name:
        folder = Path(name)
        for part in ("objects", "refs"):
            (folder / part).mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        (folder / "config").write_text(store_config(common, object_format))
        env = {
            "GIT_DIR": name,
            "GIT_WORK_TREE": str(path),
            "GIT_INDEX_FILE": str(own / "index"),
            "GIT_OBJECT_DIRECTORY": str(common / "objects"),
        }
        loose = git.run("ls-files", "-z", "-m", "-o", "--exclude-standard", "--directory", cwd=path, env=env)
        staged = git.run("diff-index", "-z", "--cached", "--name-only", "--ignore-submodules", head, cwd=path, env=env)
    return len({entry for entry in (loose + staged).split(b"\0") if entry})
