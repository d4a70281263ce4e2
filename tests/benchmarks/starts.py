"""The product as people start it: how long until a page is served, and what it holds when nobody asks anything."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from django.conf import settings

from tests.benchmarks.figures import Figure, median

IDLE_SECONDS = 6.0


@dataclass(frozen=True)
class Served:
    pid: int
    port: int


def second_start() -> Iterator[Figure]:
    folder = Path(settings.DATA_DIR, "start")
    with serving(folder):
        pass
    seconds, held = [], []
    for _ in range(3):
        with serving(folder) as (took, process):
            seconds.append(took)
            if not held:
                time.sleep(IDLE_SECONDS)
                held.append(memory(process.pid))
    yield Figure("start", median(seconds))
    yield Figure("memory", median(held))


@contextmanager
def serving(folder: Path) -> Iterator[tuple[float, Served]]:
    """The product over this data folder, and how long it took to serve its first page."""
    port = _free_port()
    environment = {
        **os.environ,
        "CCDASH_DATA_DIR": str(folder),
        "CCDASH_EMBEDDED": "1",
        "PORT": str(port),
        "DJANGO_SETTINGS_MODULE": "ccdash.settings",
    }
    command = [sys.executable, "manage.py", "serve", "--prepare"]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait_for_page(f"http://127.0.0.1:{port}/accounts/login/", process)
        yield time.perf_counter() - started, Served(process.pid, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_for_page(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
        else:
            return
    raise TimeoutError("The product did not serve its first page.")


def memory(pid: int) -> float:
    """Pages shared between its processes count once; where that can't be told, each counts whole."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(_held(member) for member in family) / 1024**2


def _held(process: psutil.Process) -> float:
    told = process.memory_full_info() if psutil.LINUX else process.memory_info()
    return float(getattr(told, "pss", told.rss))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
