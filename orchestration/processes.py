"""Processes by identity, and finding everything that a command has started.

The supervisor and the spool live on this, so it is standard library alone. What a platform lacks is
left out and said by the return value; nothing here raises because a process has just gone.
"""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import sys
import time
from pathlib import Path

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

# Loaded before any fork: a dynamic loader has no place between fork and exec.
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def become_subreaper() -> bool:
    """Orphans below this process become its children, so that waiting until it has none proves the tree empty."""
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges() -> bool:
    return _prctl(PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(parent: int) -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(127)


def offer_for_memory() -> None:
    """When memory runs out, the kernel shall take the command and not whoever looks after it."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError:
        return


@functools.cache
def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_time(pid: int) -> str:
    """An opaque word that tells this process from a later one with the same number; empty when it has gone."""
    if LINUX:
        fields = _stat(pid)
        return fields[19] if fields else ""
    return _ask_ps("-o", "lstart=", "-p", str(pid)).strip()


def is_same(pid: int, started: str) -> bool:
    return bool(started) and start_time(pid) == started


def descendants(pid: int) -> list[int]:
    """Every process below `pid` that could be seen; a moving tree may need another look."""
    if not LINUX:
        return _below(pid, _table())
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children(waiting.pop())
        found += below
        waiting += below
    return found


def children(pid: int) -> list[int]:
    try:
        tasks = [task.name for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
    return [child for task in tasks for child in _children_of_task(pid, task)]


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def freeze_and_kill(pids: list[int], again: int = 0) -> None:
    """Stop all before killing any, so that a tree which keeps forking can't outrun the killing."""
    for pid in pids:
        send(pid, signal.SIGSTOP)
    for pid in set(pids) | set(descendants(again) if again else ()):
        send(pid, signal.SIGKILL)


def end_tagged(tag: str) -> bool:
    """Kill what still carries `tag` in its environment: the last resort when its supervisor has gone.

    True when none is left to be seen, which is less than a proof.
    """
    until = time.monotonic() + 5.0
    while (found := _tagged(tag)) and time.monotonic() < until:
        freeze_and_kill(found)
        time.sleep(0.005)
    return not found


def out_of_memory_kills() -> int:
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def _prctl(option: int, value: int) -> bool:
    return _libc is not None and _libc.prctl(option, value, 0, 0, 0) == 0


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def _children_of_task(pid: int, task: str) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except FileNotFoundError:
        return [child for child in _numbers() if (_stat(child) or ["", ""])[1] == str(pid)]
    except OSError:
        return []


def _numbers() -> list[int]:
    try:
        return [int(found.name) for found in Path("/proc").iterdir() if found.name.isdigit()]
    except OSError:
        return []


def _tagged(tag: str) -> list[int]:
    return [pid for pid in _numbers() if pid != os.getpid() and tag.encode() in _environment(pid)]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _table() -> list[tuple[int, int]]:
    rows = (line.split() for line in _ask_ps("-A", "-o", "pid=", "-o", "ppid=").splitlines())
    return [(int(row[0]), int(row[1])) for row in rows if len(row) == 2]


def _below(pid: int, table: list[tuple[int, int]]) -> list[int]:
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in table if its_parent == parent]
    return found[1:]


def _ask_ps(*arguments: str) -> str:
    import subprocess  # only where there is no /proc

    try:
        return subprocess.run(["/bin/ps", *arguments], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
