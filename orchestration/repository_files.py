"""The Markdown files of a repository, and their bytes.

Called by documents, phase_files and repository_checks. Opens every folder and file without following links, so that
nothing in a repository leads out of it; bounded, so that no repository holds a search up.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from orchestration import front_matter

MAX_FILE_BYTES = 1024 * 1024
MAX_FILES = 10_000
MAX_FOLDERS = 50_000
MAX_DEPTH = 20
MAX_PATH = 1_000
SUFFIXES = (".md", ".markdown", ".mdx")
SKIPPED_FOLDERS = frozenset({
    ".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", ".venv", "venv", ".tox", ".nox",
    "__pycache__", "site-packages", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".cache", ".next", ".nuxt",
    ".idea", ".vscode", ".gradle", ".terraform", "dist", "build", "target", "vendor", "coverage",
})  # fmt: skip


class FileError(ValueError):
    """This file can't be read."""


@dataclass(frozen=True)
class Skipped:
    path: str
    reason: str
    unreadable: bool = False  # it may be a planning document: what was known of it still counts


@dataclass
class Walk:
    skipped: list[Skipped] = field(default_factory=list)
    files: int = 0
    folders: int = 0
    complete: bool = True


def read_bytes(root: Path, path: str, limit: int = MAX_FILE_BYTES) -> bytes:
    """A regular file below root. Every folder on the way is opened without following links, so none can lead out."""
    parts = _parts(path)
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise FileError(f"the project's folder can't be opened ({error.strerror})") from error
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return _read_file(folder, parts[-1], limit)
    except OSError as error:
        raise FileError(f"it can't be read ({error.strerror})") from error
    finally:
        os.close(folder)


def markdown_files(root: Path, walk: Walk) -> Iterator[str]:
    """Depth first, sorted, bounded; links are named and never followed."""

    def unlisted(error: OSError) -> None:
        walk.complete = False
        walk.skipped.append(Skipped(_relative(root, error.filename), f"it can't be listed ({error.strerror})"))

    for folder, subfolders, names, _ in os.fwalk(root, follow_symlinks=False, onerror=unlisted):
        relative = Path(folder).relative_to(root)
        walk.folders += 1
        _choose_subfolders(relative, subfolders, names, walk)
        for name in sorted(names):
            if not name.lower().endswith(SUFFIXES):
                continue
            path = (relative / name).as_posix()
            if not _storable(path):
                walk.skipped.append(Skipped(front_matter.clean_text(path)[:MAX_PATH], "a name that can't be stored"))
                continue
            walk.files += 1
            if walk.files > MAX_FILES or walk.folders > MAX_FOLDERS:
                walk.complete = False
                walk.skipped.append(Skipped(".", f"the search stopped after {MAX_FILES:,} documents"))
                return
            yield path


def _parts(path: str) -> tuple[str, ...]:
    pure = PurePosixPath(path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise FileError("the path leads out of the project's folder")
    if any(part.lower() == ".git" for part in pure.parts):
        raise FileError("it belongs to git")
    return pure.parts


def _relative(root: Path, name: object) -> str:
    place = Path(str(name))
    shown = place.relative_to(root) if place.is_relative_to(root) else Path(place.name)
    return front_matter.clean_text(shown.as_posix())[:MAX_PATH]


def _storable(path: str) -> bool:
    return len(path) <= MAX_PATH and front_matter.clean_text(path) == path and "\n" not in path


def _choose_subfolders(relative: Path, subfolders: list[str], names: list[str], walk: Walk) -> None:
    nested = relative != Path() and (".git" in names or ".git" in subfolders)
    if nested:
        walk.skipped.append(Skipped(relative.as_posix(), "another git repository"))
        names.clear()
    if nested or len(relative.parts) >= MAX_DEPTH or walk.folders > MAX_FOLDERS:
        walk.complete = walk.complete and (nested or not subfolders)
        subfolders.clear()
    subfolders[:] = sorted(name for name in subfolders if name not in SKIPPED_FOLDERS)


def _read_file(folder: int, name: str, limit: int) -> bytes:
    # Non-blocking: opening a named pipe would wait for its writer for ever.
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if _is_link(folder, name):
            raise FileError("a symbolic link") from error
        raise
    with os.fdopen(file, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise FileError("not a regular file")
        data = stream.read(limit + 1) if found.st_size <= limit else b"x" * (limit + 1)
    if len(data) > limit:
        raise FileError(f"larger than {limit // 1024:,} kB")
    return data


def _is_link(folder: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False
