"""Asks the fork server for supervisors: the only way in which the server starts a command."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration import processes
from orchestration.spool import CommandSpec

PROJECT = Path(__file__).resolve().parent.parent
BOOT = "import sys; sys.path.append(sys.argv[1]); from orchestration.fork_server import serve; serve()"


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


_spawner = Spawner()
launch = _spawner.launch
