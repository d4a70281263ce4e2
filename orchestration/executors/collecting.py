"""Takes a private copy of what a step left: declared globs of the workspace, and its artifacts folder.

Names come from untrusted processes that may still be changing them, so every file is opened step by
step without following links, must be a regular file, and is copied within limits before it counts.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from itertools import islice
from pathlib import Path, PurePosixPath

from orchestration.executors.base import ExecutionLimits, FoundArtifact, StepContext
from orchestration.workspace import Workspace, WorkspaceError, open_parts

CHUNK = 1024 * 1024
MAX_VISITED = 100_000
MAX_DEPTH = 100


class ArtifactError(Exception):
    """What the step left can't be kept as promised."""


@dataclass(frozen=True)
class Wanted:
    name: str
    kind: str
    root: Path
    relative_path: str


@dataclass
class Copier:
    """Copies one after the other into a folder of ours, within the limits of the whole step."""

    folder: Path
    limits: ExecutionLimits
    bytes_left: int = field(init=False)
    made: int = 0

    def __post_init__(self) -> None:
        self.bytes_left = self.limits.max_artifact_bytes
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def copy(self, wanted: Wanted) -> FoundArtifact:
        if self.made >= self.limits.max_artifact_files:
            raise ArtifactError(f"The step left more than {self.limits.max_artifact_files} artifacts.")
        path = self.folder / f"{self.made:05d}"
        with os.fdopen(open_regular(wanted), "rb") as source, path.open("wb") as target:
            digest, size = hashlib.sha256(), 0
            while chunk := source.read(CHUNK):
                size += len(chunk)
                self.spend(len(chunk))
                digest.update(chunk)
                target.write(chunk)
        self.made += 1
        return self.found(wanted, path, size, digest.hexdigest())

    def spend(self, size: int) -> None:
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise ArtifactError(
                f"The step's artifacts are larger than {self.limits.max_artifact_bytes} bytes together."
            )

    def found(self, wanted: Wanted, path: Path, size: int, sha256: str) -> FoundArtifact:
        guessed = mimetypes.guess_type(wanted.relative_path)[0] or "application/octet-stream"
        return FoundArtifact(wanted.name, path, wanted.kind, wanted.relative_path, guessed, size, sha256)


def collect(context: StepContext, folder: Path, *, strict: bool = True) -> tuple[FoundArtifact, ...]:
    """Not strict: what is missing or refused is left out instead of failing."""
    copier = Copier(folder, context.limits)
    found = []
    for wanted in [*declared(context, strict=strict), *left(context.artifacts_dir)]:
        try:
            found.append(copier.copy(wanted))
        except ArtifactError:
            if strict:
                raise
    return tuple(found)


def declared(context: StepContext, *, strict: bool) -> Iterator[Wanted]:
    for item in context.definition.get("artifacts") or ():
        matches = glob(context.workspace, item["path"]) if strict else some_of(context.workspace, item["path"])
        name = item.get("name")
        if strict and not matches:
            said = f"The artifact {name!r}" if name else "An artifact"
            raise ArtifactError(f"{said} is missing: nothing matches {item['path']!r}.")
        for path in matches:
            yield Wanted(name or PurePosixPath(path).name, item.get("kind") or "file", context.workspace, path)


def some_of(root: Path, pattern: str) -> list[str]:
    try:
        return glob(root, pattern)
    except ArtifactError:
        return []


def left(folder: Path) -> Iterator[Wanted]:
    if folder.is_dir() and not folder.is_symlink():
        for path in walk(folder, Path()):
            yield Wanted(path.as_posix(), "file", folder, path.as_posix())


def glob(root: Path, pattern: str) -> list[str]:
    """Relative paths of the files that match; a folder that matches stands for all files in it."""
    parts = pattern_parts(pattern)
    fixed = Path(*takewhile_plain(parts))
    start = root / fixed
    if start.is_symlink() or not start.is_dir():
        return [fixed.as_posix()] if os.path.lexists(start) and fixed.parts == tuple(parts) else []
    matcher = re.compile(pattern_regex(parts))
    return sorted(path for path in named_below(root, fixed) if matcher.fullmatch(path))


def named_below(root: Path, fixed: Path) -> Iterator[str]:
    """By the names that the pattern has, also where a link inside the workspace leads there."""
    try:
        real = Path(Workspace(root).within(fixed.as_posix()))
    except WorkspaceError as error:
        raise ArtifactError(str(error)) from error
    return ((fixed / path.relative_to(real)).as_posix() for path in walk(root.resolve(), real))


def pattern_parts(pattern: str) -> list[str]:
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if pattern.startswith("/") or ".." in parts or "\0" in pattern:
        raise ArtifactError(f"The artifact path {pattern!r} leads out of the workspace.")
    return parts


def takewhile_plain(parts: Sequence[str]) -> Iterator[str]:
    for part in parts:
        if any(sign in part for sign in "*?["):
            return
        yield part


def pattern_regex(parts: Sequence[str]) -> str:
    """Like a shell: `*` stays within one name, `**` is any number of folders."""
    words = []
    for part in parts:
        inner = translate(part)[4:-3].replace(".*", "[^/]*")
        words.append("(?:[^/]+/)*" if part == "**" else f"{inner}/")
    joined = "".join(words).removesuffix("/")
    return f"(?s:{joined}(?:/.*)?|{joined}.*)" if parts and parts[-1] == "**" else f"(?s:{joined}(?:/.*)?)"


def walk(root: Path, below: Path) -> Iterator[Path]:
    """Files and links below a folder, links to folders not followed, repository folders left out.

    Each folder is opened from the root without following anything, and read no further than the limit.
    """
    seen, waiting = 0, [below]
    while waiting:
        here = waiting.pop()
        found = look_into(root, here, MAX_VISITED - seen)
        seen += len(found)
        if seen > MAX_VISITED:
            raise ArtifactError(f"There are more than {MAX_VISITED} files to look through for artifacts.")
        if len(here.parts) > MAX_DEPTH:
            raise ArtifactError(f"Folders lie more than {MAX_DEPTH} deep in one another.")
        yield from (here / name for name, is_folder in found if not is_folder)
        waiting += [here / name for name, is_folder in reversed(found) if is_folder and name != ".git"]


def look_into(root: Path, folder: Path, limit: int) -> list[tuple[str, bool]]:
    """Names, and whether they are folders, sorted; one more than the limit where there are more."""
    try:
        descriptor = open_parts(root, list(folder.parts))
    except OSError:
        return []
    try:
        with os.scandir(descriptor) as entries:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in islice(entries, limit + 1))
    except OSError:
        return []
    finally:
        os.close(descriptor)


def open_regular(wanted: Wanted) -> int:
    try:
        return Workspace(wanted.root).open_beneath(wanted.relative_path)
    except WorkspaceError as error:
        raise ArtifactError(f"The artifact {wanted.name!r} is refused: {error}") from error
