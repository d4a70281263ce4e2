"""A product of its own in real processes: data folder, database, repository, workers that can be killed.

What really ran is told by the ledgers that the commands write, never by the database alone.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from ccdash.database import DATABASE_FILE
from tests.orchestration.repositories_of_tests import make_repository

ROOT = Path(__file__).resolve().parents[2]
ON_POSTGRESQL = os.environ.get("DATABASE_URL", "").startswith("postgres")


class World:
    def __init__(self, folder: Path, *, workers: int = 16, dispatch: str = "pool") -> None:
        self.folder = folder
        self.data = folder / "data"
        self.repository = make_repository(folder / "repository")
        self.environment = environment(self.data, DATABASE_URL=copied_database(self.data)) | {
            "CCDASH_WORKERS": str(workers),
            "CCDASH_DISPATCH": dispatch,
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        self._inside = subprocess.Popen(
            [sys.executable, "-m", "tests.recovery.inside"],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ask("people", str(self.repository))

    def manage(self, *words: str) -> str:
        return manage(self.environment, *words)

    def ask(self, name: str, *arguments: Any) -> Any:
        """Call a function of `inside` in a process of the product."""
        assert self._inside.stdin is not None
        assert self._inside.stdout is not None
        self._inside.stdin.write(json.dumps([name, arguments]) + "\n")
        self._inside.stdin.flush()
        answer = json.loads(self._inside.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def start_worker(self) -> subprocess.Popen[bytes]:
        with (self.folder / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "manage.py", "run_worker"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def kill_worker(self, worker: subprocess.Popen[bytes]) -> None:
        """As a power cut does it to the server's process group: no handler, no last word."""
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def stop(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                self.kill_worker(worker)
        self.ask("end_everything")
        self._inside.communicate()

    def wait_for(self, run_id: str, wanted: Sequence[str], *, seconds: float = 60) -> Mapping[str, Any]:
        deadline = time.monotonic() + seconds
        while (found := self.ask("look", run_id))["state"] not in wanted:
            assert time.monotonic() < deadline, f"{found}\n{(self.folder / 'worker.log').read_text()[-4000:]}"
            time.sleep(0.3)
        return found


def ledger_line(name: str, *, seconds: float) -> str:
    """A command that says when it begins and when it ends, in the workspace, with its token."""
    return f'echo "start $CCDASH_TOKEN" >> {name}.ledger; sleep {seconds}; echo "end $CCDASH_TOKEN" >> {name}.ledger'


def environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CCDASH_", "DJANGO_"))}
    ours = {"CCDASH_DATA_DIR": str(data), "CCDASH_EMBEDDED": "0", "DJANGO_SETTINGS_MODULE": "ccdash.settings"}
    return {**kept, **ours, **more}


def manage(settings: Mapping[str, str], *words: str) -> str:
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def copied_database(data: Path) -> str:
    """The address of a database of this test's own, on the server that the tests were given. To migrate takes seconds,
    to copy what was migrated once does not."""
    if ON_POSTGRESQL:
        return new_database(f'TEMPLATE "{urlsplit(str(migrated())).path[1:]}"')
    data.mkdir(mode=0o700)
    shutil.copyfile(migrated(), data / DATABASE_FILE)
    return ""


@functools.cache
def migrated() -> Path | str:
    """The file or address of a database that holds the schema and what migrations laid; nobody works in it."""
    data = Path(tempfile.mkdtemp(prefix="ccdash-schema-"))
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    address = new_database() if ON_POSTGRESQL else ""
    manage(environment(data, DATABASE_URL=address), "migrate", "--verbosity", "0", "--skip-checks")
    return address or data / DATABASE_FILE


def new_database(options: str = "") -> str:
    server = os.environ["DATABASE_URL"]
    name = f"recovery_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" {options}')
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
