"""The step from a forked child of the supervisor to the command: its session, limits, folder, program.

Only the supervisor calls it, after the fork; it never returns. Standard library alone.
"""

from __future__ import annotations

import os
import resource
import signal
from typing import NoReturn

from orchestration import processes, system_calls
from orchestration.frames import write_all
from orchestration.spool import ARGUMENTS, FILTER, CommandSpec


def become_command(spec: CommandSpec, stdout: int, stderr: int, failing: int, parent: int, held: int) -> NoReturn:
    """In the forked child: become the command once `held` says so, or say through `failing` why not."""
    stage = "start"
    try:
        os.setsid()
        processes.die_with_parent(parent)
        for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (stdout, 1), (stderr, 2)):
            os.dup2(source, target)
        forget_signals()
        limit_resources(spec)
        stage = "workspace"
        enter(spec.root, spec.cwd)
        stage = "start"
        if not os.read(held, 1):
            os._exit(127)  # the claim could not be made to last
        os.execve(spec.argv[0], spec.argv, told_inside(spec.env) if spec.sandboxed else spec.env)  # noqa: S606
    except BaseException as error:  # noqa: BLE001 - the parent reports it
        os.write(failing, f"{stage}:{getattr(error, 'strerror', None) or error}".encode()[:1000])
    os._exit(127)


def told_inside(env: dict[str, str]) -> dict[str, str]:
    """Nothing of it reaches the sandbox's own program, which runs outside; nor a list of arguments that all can see."""
    words = [word for name, value in env.items() for word in ("--setenv", name, value)]
    hand_over(b"".join(os.fsencode(word) + b"\0" for word in words), ARGUMENTS)
    hand_over(system_calls.filter_program(), FILTER)
    return {}


def hand_over(data: bytes, descriptor: int) -> None:
    """Through memory alone: what it holds is nowhere on a disk."""
    held = os.memfd_create("told", 0)
    write_all(held, data)
    os.lseek(held, 0, os.SEEK_SET)
    if held != descriptor:
        os.dup2(held, descriptor)
        os.close(held)


def forget_signals() -> None:
    """Whatever the server ignores, such as one that a shell put into the background."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def limit_resources(spec: CommandSpec) -> None:
    os.umask(0o022)
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_NOFILE, spec.nofile)
    lower(resource.RLIMIT_FSIZE, spec.file_bytes)
    lower(resource.RLIMIT_AS, spec.memory_bytes)
    lower(resource.RLIMIT_NPROC, spec.processes)
    processes.forbid_new_privileges()
    processes.offer_for_memory()


def lower(kind: int, wanted: int | None) -> None:
    if wanted is None:
        return
    _, hard = resource.getrlimit(kind)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (value, value))


def enter(root: str, cwd: str) -> None:
    """Step by step without following a link: a folder swapped since it was checked leads nowhere."""
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for part in [part for part in cwd.split("/") if part not in ("", ".")]:
        if part == "..":
            raise PermissionError(0, "the path leads out of the workspace")
        here = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
    os.fchdir(here)
