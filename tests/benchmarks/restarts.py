"""kill -9 of a worker process with a hundred commands under way, and how soon its successor has them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings

from orchestration.engine import controlling
from orchestration.models import Event, WorkflowRun
from tests.benchmarks import ground
from tests.benchmarks.figures import Figure

RUNS = 100
LINE = "echo begun >> ledger.txt; sleep 600"


def kill_with_runs_in_flight() -> Iterator[Figure]:
    workflow = ground.workflow_of(ground.project_in_repository(), [ground.command("wait", line=LINE)])
    runs = [ground.launch(workflow) for _ in range(RUNS)]
    worker = _start_worker()
    try:
        _wait(lambda: _begun(runs) >= RUNS)
        _kill(worker)
        started = time.perf_counter()
        worker = _start_worker()
        _wait(lambda: Event.objects.filter(run__in=runs, type="attempt.taken_up").count() >= RUNS)
        yield Figure("restart", time.perf_counter() - started)
        yield Figure("restart_repeated", _begun(runs) - RUNS)
    finally:
        _end(runs)
        _kill(worker)


def _start_worker() -> subprocess.Popen[bytes]:
    environment = {**os.environ, "CCDASH_WORKERS": str(RUNS), "DJANGO_SETTINGS_MODULE": "ccdash.settings"}
    command = [sys.executable, "manage.py", "run_worker"]
    with Path(settings.DATA_DIR, "worker.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def _kill(worker: subprocess.Popen[bytes]) -> None:
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def _begun(runs: list[WorkflowRun]) -> int:
    """Counted where the commands ran, not in the database."""
    ledgers = [Path(settings.WORKTREES_DIR, str(run.pk), "ledger.txt") for run in runs]
    return sum(len(ledger.read_text().splitlines()) for ledger in ledgers if ledger.exists())


def _end(runs: list[WorkflowRun]) -> None:
    for run in runs:
        controlling.cancel_run(run.pk, reason="Measured.", by=ground.ada())
    _wait(lambda: not WorkflowRun.objects.filter(pk__in=[run.pk for run in runs], finished_at=None).exists())


def _wait(holds: Callable[[], bool], seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            log = Path(settings.DATA_DIR, "worker.log").read_text()[-2000:]
            raise TimeoutError(f"It did not come to that. The worker says: {log}")
        time.sleep(0.05)
