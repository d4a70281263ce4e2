"""A small process that forks supervisors in milliseconds, and nothing else.

Single-threaded, it holds nothing and ends when its server does. Supervisors are children of neither, so
that no signal to a process group or a tree of the server reaches them. Standard library alone, and
little of that: each page it has is one more to copy.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

from orchestration import processes
from orchestration.frames import write_all
from orchestration.spool import CommandSpec
from orchestration.supervisor import supervise

QUIET_SECONDS = 0.006


class Spare(NamedTuple):
    """A supervisor that was forked in advance and waits for its command at the other end of a pipe."""

    pid: int
    start_time: str
    pipe: int


def serve() -> None:
    # A collection in a fork would copy every page it looks at.
    gc.freeze()
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    spare = fork_spare()
    for line in sys.stdin.buffer:
        folder = json.loads(line)["folder"]
        answer = hand_over(line, spare) or hand_over(line, fork_spare()) or {"error": "the fork failed"}
        sys.stdout.buffer.write(json.dumps({"folder": folder, **answer}).encode() + b"\n")
        sys.stdout.buffer.flush()
        # While the command runs, the next supervisor is made; not at once, for it would take the processors from those
        # that begin the command. Whoever asks earlier waits for a fork.
        select.select([sys.stdin], [], [], QUIET_SECONDS)
        spare = fork_spare()


def hand_over(request: bytes, spare: Spare | str) -> dict[str, Any] | None:
    """None where the spare has gone; what it was not given whole, it does not begin."""
    if isinstance(spare, str):
        return {"error": spare}
    try:
        write_all(spare.pipe, request)
    except BrokenPipeError:
        return None
    finally:
        os.close(spare.pipe)
    return {"pid": spare.pid, "start_time": spare.start_time}


def fork_spare() -> Spare | str:
    """Or in a word why not."""
    hearing, telling = os.pipe()
    waiting, giving = os.pipe()
    try:
        between = os.fork()
    except OSError as error:
        for descriptor in (hearing, telling, waiting, giving):
            os.close(descriptor)
        return str(error.strerror)
    if between == 0:
        os.close(giving)
        fork_again(waiting, telling)
    for descriptor in (telling, waiting):
        os.close(descriptor)
    with os.fdopen(hearing, "rb") as pipe:
        said = pipe.read()
    os.waitpid(between, 0)
    if not said:
        os.close(giving)
        return "the fork failed"
    pid, _, start_time = said.decode().partition(" ")
    return Spare(int(pid), start_time, giving)


def fork_again(waiting: int, telling: int) -> None:
    """The process between ends at once, and the supervisor belongs to nobody."""
    os.setsid()
    pid = os.fork()
    if pid == 0:
        os.close(telling)
        become_supervisor(waiting)
    os.write(telling, f"{pid} {processes.start_time(pid)}".encode())
    os._exit(0)


def become_supervisor(waiting: int) -> None:
    code, folder = 1, ""
    try:
        # At once: whoever reads the server's words must see their end when it goes, spare or not.
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        rehearse()
        with os.fdopen(waiting, "rb") as pipe:
            said = pipe.readline()
        if said.endswith(b"\n"):
            request = json.loads(said)
            folder = request["folder"]
            supervise(CommandSpec(**request["spec"]), folder)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it was, nobody else will ever tell
        note_crash(folder)
    os._exit(code)


def rehearse() -> None:
    """Touch now what will be needed: a forked process copies each page at its first use."""
    processes.become_subreaper()
    processes.out_of_memory_kills()
    json.loads(json.dumps({"boot": processes.boot_id(), "me": processes.start_time(os.getpid())}))
    for descriptor in os.pipe():
        os.close(descriptor)


def note_crash(folder: str) -> None:
    """Nobody is listening; without exit.json the attempt counts as interrupted."""
    import traceback

    if not folder:
        return
    try:
        Path(folder, "supervisor.log").write_text(traceback.format_exc())
    except OSError:
        return
