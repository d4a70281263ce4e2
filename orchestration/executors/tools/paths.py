"""Files of the workspace for an agent's tools: read whole, written in one step, listed.

A path is checked once by what it resolves to, then opened one component after the other without following anything, so
that no race leads out. Special files are never opened, and a repository's `.git` is nobody's business here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path, PurePosixPath

from orchestration.workspace import Workspace, WorkspaceError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
HIDDEN = ".git"
MAX_DEPTH = 100
MAX_ENTRIES = 10_000  # of one folder


class PathRefused(Exception):
    """The path is not one that a tool may open; the message says why."""


def components(root: Path, path: str) -> list[str]:
    """The names on the way from the root to `path`, links inside the root resolved; nothing outside it has any."""
    given = PurePosixPath(path.strip() or ".")
    if given.is_absolute() and given.is_relative_to(root):
        given = given.relative_to(root)
    try:
        real = PurePosixPath(Workspace(root).within(str(given)))
    except WorkspaceError as error:
        raise PathRefused(str(error)) from None
    if any(part.lower() == HIDDEN for part in (*given.parts, *real.parts)):
        raise PathRefused("the repository's .git folder is not for tools")
    return list(real.parts)


@contextmanager
def folder(root: Path, names: list[str], *, create: bool = False) -> Iterator[int]:
    """A descriptor of the folder; from here on only the descriptor is used."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            deeper = _step(descriptor, name, create=create)
            os.close(descriptor)
            descriptor = deeper
        yield descriptor
    finally:
        os.close(descriptor)


def read_bytes(root: Path, path: str, limit: int) -> bytes:
    """The whole file; one larger than `limit` is refused."""
    names = _file_names(root, path)
    with folder(root, names[:-1]) as parent:
        descriptor = _open_plain(parent, names[-1], os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            size = _plain(descriptor, path).st_size
            if size > limit:
                raise PathRefused(f"the file is larger than {limit} bytes ({size})")
            return file.read(limit)


def write_bytes(root: Path, path: str, data: bytes) -> bool:
    """Replace or create the file in one step, keeping its mode; True when it is new."""
    names = _file_names(root, path)
    with folder(root, names[:-1], create=True) as parent:
        mode = _mode_of(parent, names[-1], path)
        waiting = f".{names[-1][:200]}.part"
        _write_new(parent, waiting, data, mode if mode is not None else 0o644)
        os.rename(waiting, names[-1], src_dir_fd=parent, dst_dir_fd=parent)
        return mode is None


def walk(root: Path, path: str) -> Iterator[tuple[str, bool]]:
    """Every file and folder beneath `path` as (path from the root, is a folder), sorted; links and .git left out.

    What lies deeper than MAX_DEPTH is left out, too: nobody needs it, and a hostile folder has no bottom.
    """
    waiting = list(reversed(children(root, path)))
    while waiting:
        found, is_folder = waiting.pop()
        yield found, is_folder
        names = found.split("/")
        if is_folder and len(names) < MAX_DEPTH:
            with suppress(OSError, PathRefused), folder(root, names) as descriptor:
                waiting += reversed(_entries(descriptor, found))


def children(root: Path, path: str) -> list[tuple[str, bool]]:
    names = components(root, path)
    with folder(root, names) as descriptor:
        return _entries(descriptor, "/".join(names))


def _entries(descriptor: int, prefix: str) -> list[tuple[str, bool]]:
    with os.scandir(descriptor) as entries:
        found = [
            (f"{prefix}/{entry.name}" if prefix else entry.name, entry.is_dir(follow_symlinks=False))
            for entry in islice(entries, MAX_ENTRIES)
            if entry.name.lower() != HIDDEN and not entry.is_symlink()
        ]
    return sorted(found)


def _file_names(root: Path, path: str) -> list[str]:
    names = components(root, path)
    if not names or path.endswith("/"):
        raise PathRefused("the path names a folder, not a file")
    return names


def _step(parent: int, name: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent)
    try:
        return os.open(name, FOLDER, dir_fd=parent)
    except NotADirectoryError:
        raise PathRefused(f"{name} is a link or no folder") from None
    except OSError as error:
        if stat.S_ISLNK(_kind(parent, name)):
            raise PathRefused(f"{name} is a symbolic link; links are not followed") from error
        raise


def _open_plain(parent: int, name: str, flags: int) -> int:
    if stat.S_ISLNK(_kind(parent, name)):
        raise PathRefused(f"{name} is a symbolic link; links are not followed")
    return os.open(name, flags | PLAIN, dir_fd=parent)


def _kind(parent: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


def _plain(descriptor: int, path: str) -> os.stat_result:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise PathRefused(f"{path} is not a plain file")
    return found


def _mode_of(parent: int, name: str, path: str) -> int | None:
    kind = _kind(parent, name)
    if kind and not stat.S_ISREG(kind):
        raise PathRefused(f"{path} is a link, a folder or a special file: it can't be replaced")
    return stat.S_IMODE(kind) if kind else None


def _write_new(parent: int, name: str, data: bytes, mode: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN, mode, dir_fd=parent)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode & 0o777)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
