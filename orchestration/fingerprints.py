"""A cheap answer to "has anything in this folder changed?": one walk over names, sizes and times.

An empty fingerprint means that it can't be told, and equals no other. It is that for large folders, where
git is faster, and where something was written so recently that another write could look the same.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

MAX_ENTRIES = 4_000
TICK_NS = 20_000_000
COARSE_TICK_NS = 2_000_000_000

Look = tuple[str, int, int, int, int, int]


def take(root: Path, beside: Iterable[Path] = ()) -> str:
    """Of everything below `root` but its `.git`, and of the named files beside it."""
    started = time.time_ns()
    looks = list(look_at(root, beside))
    if len(looks) >= MAX_ENTRIES or is_too_recent(newest(looks), started):
        return ""
    return hashlib.blake2b(repr(sorted(looks)).encode(), digest_size=16).hexdigest()


def settle(root: Path, beside: Iterable[Path] = ()) -> None:
    """Let the clock move on after a checkout, so that the first fingerprint can be trusted."""
    wait = newest(look_at(root, beside)) + TICK_NS - time.time_ns()
    time.sleep(max(0, min(TICK_NS, wait)) / 1e9)


def is_too_recent(latest: int, now: int) -> bool:
    tick = TICK_NS if latest % 1_000_000_000 else COARSE_TICK_NS
    return latest > now - tick


def newest(looks: Iterable[Look]) -> int:
    return max((max(look[4], look[5]) for look in looks), default=0)


def look_at(root: Path, beside: Iterable[Path]) -> list[Look]:
    looks = [found for path in beside if (found := look(str(path)))]
    waiting = look_into(str(root), looks, leave_out=".git")
    while waiting and len(looks) < MAX_ENTRIES:
        waiting += look_into(waiting.pop(), looks)
    return looks


def look_into(folder: str, looks: list[Look], leave_out: str = "") -> list[str]:
    """Adds what is in the folder; returns the folders below it."""
    below = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name == leave_out:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                if found := look(entry.path):
                    looks.append(found)
    except OSError:
        looks.append((folder, 0, 0, 0, 0, 0))
    return below


def look(path: str) -> Look | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return path, found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
