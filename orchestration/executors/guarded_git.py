"""What a sandboxed command may do to its repository: read all of it, commit in its own worktree, change nothing else.

Configuration, hooks, branches and existing objects are read-only, for what is written there would be run or believed
later, outside. New objects go to a folder of the worktree's own; `commits` brings home those that count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from orchestration import git

# Where the repository's own objects are seen inside, beneath the new ones.
OBJECTS_INSIDE = "/run/repository-objects"
OWN_OBJECTS = "new-objects"
# Files of a worktree's git folder that say where git reads what it runs.
FIXED = ("commondir", "gitdir", "config.worktree", "modules")
MAX_LOOKED_AT = 20_000


class Ground(Protocol):
    @property
    def workspace(self) -> Path: ...
    @property
    def git_folder(self) -> Path | None: ...
    @property
    def git_admin(self) -> Path | None: ...


def words(ground: Ground) -> Iterator[str]:
    if ground.git_folder is not None:
        yield from _read_only(ground.git_folder)
        yield from _alternates(ground.git_folder)
    if ground.git_folder is not None and ground.git_admin is not None:
        yield from _worktree(ground.git_folder, ground.git_admin)
        yield from _hooks_in(ground.workspace, ground.git_folder)
    for path in _git_places(ground.workspace, deep=ground.git_admin is None):
        yield from _read_only(path)


def own_objects(admin: Path, common: Path) -> Path:
    """Made at the first command. What it borrows from is fixed before anything runs."""
    folder = admin / OWN_OBJECTS
    (folder / "info").mkdir(mode=0o700, parents=True, exist_ok=True)
    borrowed = [OBJECTS_INSIDE, *map(str, _borrowed(common))]
    (folder / "info" / "alternates").write_text("\n".join(borrowed) + "\n")
    return folder


def _worktree(common: Path, admin: Path) -> Iterator[str]:
    objects = own_objects(admin, common)
    (admin / "config.worktree").touch()
    yield from ("--bind", str(admin), str(admin))
    for path in (admin / name for name in FIXED):
        if path.exists():
            yield from _read_only(path)
    yield from ("--ro-bind", str(common / "objects"), OBJECTS_INSIDE)
    # Also onto itself: what is mounted can't be moved away, and we write there before the next command.
    for inside in (common / "objects", objects):
        yield from ("--bind", str(objects), str(inside))
        yield from ("--ro-bind", str(objects / "info"), str(inside / "info"))


def _alternates(common: Path) -> Iterator[str]:
    for path in _borrowed(common):
        yield from ("--ro-bind-try", str(path), str(path))


def _borrowed(common: Path) -> list[Path]:
    """Folders of objects of other repositories that this one was cloned to share."""
    try:
        lines = (common / "objects" / "info" / "alternates").read_text().splitlines()
    except (OSError, UnicodeError):
        return []
    return [(common / "objects" / line).resolve() for line in lines if line and not line.startswith(("#", '"'))]


def _hooks_in(workspace: Path, common: Path) -> Iterator[str]:
    """Hooks that the repository keeps among its files."""
    said = git.ask("config", "--file", str(common / "config"), "--get", "core.hooksPath", cwd=common).text
    path = Path(os.path.normpath(workspace / said)) if said else workspace
    path = path.parent if path.name == "_" else path  # husky: what lies beside it is run
    if workspace in path.parents and path.is_dir() and path.resolve() == path:
        yield from _read_only(path)


def _git_places(workspace: Path, *, deep: bool) -> Iterator[Path]:
    """The workspace's own `.git`, and in a plain folder those of repositories below it, as far as a moment's look
    goes."""
    seen = 0
    for folder, folders, names in os.walk(workspace):
        seen += len(folders) + len(names)
        found = [name for name in (*folders, *names) if name.lower() == ".git"]
        yield from (path for path in (Path(folder, name) for name in found) if not path.is_symlink())
        folders[:] = [name for name in folders if name not in found] if deep and seen < MAX_LOOKED_AT else []


def _read_only(path: Path) -> Iterator[str]:
    yield from ("--ro-bind", str(path), str(path))
