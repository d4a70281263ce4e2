"""Commands for tests to run, and ways to see what they left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from orchestration import spawner
from orchestration.spool import CommandSpec, Exit, Spool

PATH = "/usr/local/bin:/usr/bin:/bin"
TOKEN = 3
Found = TypeVar("Found")


def spec(folder: Path, line: str, **changes: Any) -> CommandSpec:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    facts = {"root": str(work), "cwd": "", "token": TOKEN, "grace_seconds": 1.0, "env": {"PATH": PATH}, **changes}
    return CommandSpec(argv=["/bin/bash", "--noprofile", "--norc", "-c", line], **facts)


def prepared(folder: Path) -> Spool:
    spool = Spool(folder / "spool")
    spool.prepare()
    return spool


def begin(folder: Path, line: str, **changes: Any) -> Spool:
    spool = prepared(folder)
    spawner.launch(spec(folder, line, **changes), spool.folder)
    return spool


def run(folder: Path, line: str, **changes: Any) -> tuple[Exit, dict[str, bytes]]:
    spool = begin(folder, line, **changes)
    end = end_of(spool)
    return end, said(spool)


def end_of(spool: Spool) -> Exit:
    return until(lambda: spool.read_exit(TOKEN))


def until(look: Callable[[], Found | None], seconds: float = 60) -> Found:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if found := look():
            return found
        time.sleep(0.005)
    raise AssertionError("it did not happen in time")


def said(spool: Spool) -> dict[str, bytes]:
    streams = {"stdout": b"", "stderr": b"", "system": b""}
    offset = 0
    while frames := list(spool.frames(offset)):
        for frame in frames:
            streams[frame.stream] += frame.data
        offset = frames[-1].end
    return streams


def living(mark: str) -> list[str]:
    """Command lines of processes that mention `mark` and still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in words and "pytest" not in words:
            found.append(words)
    return found
