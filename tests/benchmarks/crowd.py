"""The real pool: many runs at once, and how soon an idle server begins one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from django.conf import settings

from orchestration.models import StepRun
from orchestration.pool import Pool
from tests.benchmarks import ground
from tests.benchmarks.figures import Figure, median, percentile

RUNS, LENGTH = 50, 10


def many_runs() -> Iterator[Figure]:
    """In fifty plain folders: a worktree for each run is git's cost, not the engine's."""
    with ground.no_op_steps(), pool() as workers:
        yield Figure("crowd", median([RUNS * LENGTH / _crowd(workers) for _ in range(4)]))


def first_starts() -> Iterator[Figure]:
    waits = []
    with ground.no_op_steps(), pool():
        for _ in range(40):
            workflow = ground.workflow_of(ground.project_in_folder(), ground.chain(1))
            waits.append(_first_start(workflow))
    yield Figure("begin_p50", median(waits) * 1000)
    yield Figure("begin_p95", percentile(waits, 95) * 1000)


@contextmanager
def pool() -> Iterator[Pool]:
    made = Pool(settings.WORKERS)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _crowd(workers: Pool) -> float:
    """From the first nudge to the last end. All are launched while nobody works."""
    plans = [ground.workflow_of(ground.project_in_folder(), ground.chain(LENGTH)) for _ in range(RUNS)]
    with mock.patch.object(workers, "nudge"):
        runs = [ground.launch(plan) for plan in plans]
    ready = list(StepRun.objects.filter(run__in=runs, state="ready").values_list("run__project_id", "run_id", "id"))
    started = time.perf_counter()
    for nudge in ready:
        workers.nudge(*nudge)
    return ground.wait_until_over(runs) - started


def _first_start(workflow: ground.Workflow) -> float:
    """From the answer to whoever launched it."""
    run = ground.launch(workflow)
    accepted = time.perf_counter()
    while not StepRun.objects.filter(run=run, started_at__isnull=False).exists():
        time.sleep(0.0005)
    waited = time.perf_counter() - accepted
    ground.wait_until_over([run])
    return waited
