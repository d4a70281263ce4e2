"""A small process that forks supervisors in milliseconds, and nothing else.

Single-threaded, it holds nothing and ends when its server does. Supervisors are children of neither, so
that no signal to a process group or a tree of the server reaches them. Standard library alone, and
little of that: each page it has is one more to copy.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from orchestration import processes
from orchestration.spool import CommandSpec
from orchestration.supervisor import supervise


def serve() -> None:
    # A collection in a fork would copy every page it looks at.
    gc.freeze()
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answer = {"folder": request["folder"], **fork_supervisor(request)}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


def fork_supervisor(request: dict[str, Any]) -> dict[str, Any]:
    hearing, telling = os.pipe()
    try:
        between = os.fork()
    except OSError as error:
        return {"error": error.strerror}
    if between == 0:
        fork_again(request, telling)
    os.close(telling)
    with os.fdopen(hearing, "rb") as pipe:
        said = pipe.read()
    os.waitpid(between, 0)
    return dict(json.loads(said)) if said else {"error": "the fork failed"}


def fork_again(request: dict[str, Any], telling: int) -> None:
    """The process between ends at once, and the supervisor belongs to nobody."""
    os.setsid()
    pid = os.fork()
    if pid == 0:
        os.close(telling)
        become_supervisor(request)
    os.write(telling, json.dumps({"pid": pid, "start_time": processes.start_time(pid)}).encode())
    os._exit(0)


def become_supervisor(request: dict[str, Any]) -> None:
    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        supervise(CommandSpec(**request["spec"]), request["folder"])
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it was, nobody else will ever tell
        note_crash(request["folder"])
    os._exit(code)


def note_crash(folder: str) -> None:
    """Nobody is listening; without exit.json the attempt counts as interrupted."""
    import traceback

    try:
        Path(folder, "supervisor.log").write_text(traceback.format_exc())
    except OSError:
        return
