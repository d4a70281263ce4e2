"""The folder in which a supervisor and whoever follows it meet, and all that they agree on.

Exactly one side claims it: the supervisor ("run") before it does anything, or a recoverer ("void") as
the proof that nothing was begun and never will be. Standard library alone; knows no row and no run.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from orchestration import processes
from orchestration.frames import FRAME_BYTES, Frame, parse, write_all

# Written in advance, so that a full disk can't keep the last word from being said.
EXIT_BYTES = 4096
# The descriptors on which a sandbox is told the environment of its command, and which system calls it can't make:
# high, so that they fall on none that the supervisor holds.
ARGUMENTS, FILTER = 60, 61


@dataclass(frozen=True)
class CommandSpec:
    """All that a supervisor needs. It goes through a pipe and is never written down: `env` holds secrets.

    `sandboxed`: `argv` is a sandbox that reads from the descriptors ARGUMENTS and FILTER.
    """

    argv: list[str]
    env: dict[str, str]
    root: str
    cwd: str
    token: int
    timeout_seconds: float | None = None
    grace_seconds: float = 10.0
    max_output_bytes: int = 64 * 1024 * 1024
    nofile: int | None = None
    file_bytes: int | None = None
    memory_bytes: int | None = None
    processes: int | None = None
    sandboxed: bool = False


@dataclass(frozen=True)
class Exit:
    """How it ended. `reason` is empty when the command ended by itself."""

    token: int
    reason: str = ""
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    started_at: float = 0.0
    finished_at: float = 0.0
    output_bytes: int = 0
    dropped_bytes: int = 0
    stragglers: int = 0
    group_empty: bool = True
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0


class Spool:
    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.output = self.folder / "output"
        self.bell = self.folder / "bell"
        self.outputs_file = self.folder / "io" / "outputs"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "io").mkdir(mode=0o700, exist_ok=True)
        self.outputs_file.touch(mode=0o600)
        for name in ("bell", "control"):
            _make_fifo(self.folder / name)

    # who has it

    def claim(self, by: str, **facts: Any) -> bool:
        """Win or lose in one step: a link either appears whole, or somebody was first."""
        mine = self.folder / f"claim.{os.getpid()}.{time.monotonic_ns()}"
        mine.write_text(json.dumps({"by": by, "boot_id": processes.boot_id(), **facts}))
        try:
            os.link(mine, self.folder / "claim")
        except FileExistsError:
            return False
        finally:
            mine.unlink()
        return True

    def is_claimed(self) -> bool:
        return (self.folder / "claim").exists()

    def claimed(self) -> dict[str, Any] | None:
        return _read_json(self.folder / "claim")

    def hold(self) -> int:
        """A lock for as long as the caller lives: no number of a process can be mistaken for it."""
        descriptor = os.open(self.folder / "alive", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def is_held(self) -> bool:
        try:
            descriptor = os.open(self.folder / "alive", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def sync(self) -> None:
        """Make the names in the folder survive a loss of power."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    # the end

    def reserve_exit(self) -> None:
        (self.folder / "exit.part").write_bytes(b" " * EXIT_BYTES)

    def write_exit(self, end: Exit, tell: Callable[[], None] = lambda: None) -> None:
        """`tell` comes before the disk is waited for: until then a loss of power leaves blanks, which are no end."""
        words = json.dumps(asdict(end)).encode().ljust(EXIT_BYTES)
        descriptor = os.open(self.folder / "exit.part", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            write_all(descriptor, words)
            (self.folder / "exit.part").rename(self.folder / "exit.json")
            tell()
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read_exit(self, token: int) -> Exit | None:
        """The end of this very attempt; one of another token is nobody's."""
        said = _read_json(self.folder / "exit.json")
        if said is None or said.get("token") != token:
            return None
        known = {item.name for item in fields(Exit)}
        return Exit(**{name: value for name, value in said.items() if name in known})

    def ask_to_end(self, reason: str) -> None:
        """Said by a pipe, which a full disk doesn't stop, and written for a supervisor that is yet to listen."""
        _tell(self.folder / "control", reason)
        part = self.folder / "cancel.part"
        with suppress(OSError):
            part.write_text(json.dumps({"reason": reason}))
            part.rename(self.folder / "cancel.json")

    def asked_to_end(self) -> str:
        return str((_read_json(self.folder / "cancel.json") or {}).get("reason", ""))

    # who follows

    def take_lead(self, follower: str) -> None:
        """On a full disk nobody leads, which only means that a lost command is left to its time limit."""
        part = self.folder / f"follower.{follower}"
        with suppress(OSError):
            part.write_text(follower)
            part.rename(self.folder / "follower")

    def is_led_by(self, follower: str) -> bool:
        try:
            return (self.folder / "follower").read_text() == follower
        except OSError:
            return False

    # output

    def frames(self, offset: int, limit: int = 4 * FRAME_BYTES) -> Iterator[Frame]:
        """Whole frames from `offset`, about `limit` bytes of them; what is still being written waits."""
        try:
            descriptor = os.open(self.output, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            data = os.pread(descriptor, limit, offset)
        finally:
            os.close(descriptor)
        yield from parse(data, offset)


def _make_fifo(path: Path) -> None:
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        return


def _tell(path: Path, words: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            return
        raise
    try:
        os.write(descriptor, words.encode() + b"\n")
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        said: Mapping[str, Any] | Any = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return dict(said) if isinstance(said, dict) else None
