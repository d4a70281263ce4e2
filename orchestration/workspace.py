"""Where a run may touch files: every path that comes from a plan, a command or a model goes through here.

A workspace is a folder. Names are looked up so that `..`, links and races lead nowhere else: checked
by what they resolve to, then opened step by step without following anything.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path


class WorkspaceError(Exception):
    """The path or the repository can't be used as it is."""


@dataclass(frozen=True)
class Workspace:
    root: Path

    def check(self) -> None:
        if not self.root.is_dir():
            raise WorkspaceError(f"The workspace {str(self.root)!r} is not there any more.")

    def resolve(self, relative: str) -> Path:
        """The real path below the root, which need not exist yet. Refuses whatever leads out."""
        self.check()
        if "\0" in relative:
            raise WorkspaceError("A path can't hold a NUL character.")
        if Path(relative).is_absolute():
            raise WorkspaceError(f"{relative!r} is an absolute path; it must be relative to the workspace.")
        root = self.root.resolve()
        try:
            real = (root / relative).resolve()
        except (OSError, RuntimeError) as error:
            raise WorkspaceError(f"{relative!r} can't be resolved.") from error
        if real != root and root not in real.parents:
            raise WorkspaceError(f"{relative!r} leads out of the workspace.")
        return real

    def within(self, relative: str) -> str:
        """The same, as the canonical path relative to the root: no links, no dots; empty for the root."""
        path = self.resolve(relative).relative_to(self.root.resolve()).as_posix()
        return "" if path == "." else path

    def folder(self, relative: str) -> str:
        """The canonical relative path of a folder that is there."""
        path = self.within(relative)
        if not (self.root.resolve() / path).is_dir():
            raise WorkspaceError(f"The folder {relative!r} is not in the workspace.")
        return path

    def open_beneath(self, relative: str) -> int:
        """A descriptor for reading, of a regular file that is in the workspace at the moment of opening."""
        parts = [part for part in self.within(relative).split("/") if part]
        if not parts:
            raise WorkspaceError("The workspace itself is not a file.")
        try:
            descriptor = open_parts(self.root.resolve(), parts)
        except OSError as error:
            raise WorkspaceError(f"{relative!r} can't be read: {error.strerror}.") from error
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise WorkspaceError(f"{relative!r} is no regular file.")


def open_parts(root: Path, parts: list[str]) -> int:
    """Raises OSError for a link, whoever put it there since the path was checked. A pipe doesn't block."""
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    if not parts:
        return here
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)
