"""Starts supervisors: a small server process that forks one in milliseconds, and the client that asks it.

The fork server is single-threaded, holds nothing and ends when its server does; supervisors are no
children of either, so that no signal to a process group or a tree of the server reaches them.
Standard library alone.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration import processes
from orchestration.spool import CommandSpec
from orchestration.supervisor import supervise

PROJECT = Path(__file__).resolve().parent.parent
BOOT = "import sys; sys.path.append(sys.argv[1]); from orchestration.spawner import serve; serve()"


class SpawnError(Exception):
    """No supervisor could be started, and no command was begun."""


@dataclass(frozen=True)
class Handle:
    host: str
    boot_id: str
    pid: int
    start_time: str
    spool: str


class Spawner:
    """One per process of the server, started with the first command and again whenever it has gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def launch(self, spec: CommandSpec, folder: Path) -> Handle:
        """Asking twice is harmless: only one supervisor can claim the folder."""
        request = json.dumps({"folder": str(folder), "spec": asdict(spec)}).encode() + b"\n"
        with self._lock:
            answer = self._ask(request) or self._ask(request)
        if answer is None or answer.get("folder") != str(folder):
            self.close()
            raise SpawnError("The process that starts commands does not answer.")
        if "error" in answer:
            raise SpawnError(f"No process could be started: {answer['error']}.")
        return Handle(host_name(), processes.boot_id(), answer["pid"], answer["start_time"], str(folder))

    def close(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def _ask(self, request: bytes) -> dict[str, Any] | None:
        server = self._alive()
        if server.stdin is None or server.stdout is None:
            return None
        try:
            server.stdin.write(request)
            server.stdin.flush()
            return dict(json.loads(server.stdout.readline()))
        except (OSError, ValueError):
            self.close()
            return None

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._process = start_server()
            self._owner = os.getpid()
        return self._process


def start_server() -> subprocess.Popen[bytes]:
    """With an empty environment: what the server was started with is no business of a command's ancestors."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", BOOT, str(PROJECT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )


def host_name() -> str:
    return socket.gethostname()


def serve() -> None:
    gc.freeze()
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
        note_crash(Path(request["folder"]), traceback.format_exc())
    os._exit(code)


def note_crash(folder: Path, words: str) -> None:
    """Nobody is listening; without exit.json the attempt counts as interrupted."""
    try:
        (folder / "supervisor.log").write_text(words)
    except OSError:
        return


_spawner = Spawner()
launch = _spawner.launch
