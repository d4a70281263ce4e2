"""What an agent costs beside its provider, which is the simulated one: it answers at once, so that all of it is ours.

The SDKs' own work is left out; it is the same with or without the product.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

from django.db import connection
from django.db.models import Max, Min

from orchestration import worker
from orchestration.agent_hosting import host_for
from orchestration.models import ExecutionRun, LogChunk, WorkflowRun
from orchestration.pool import Pool
from tests.benchmarks import ground
from tests.benchmarks.crowd import pool
from tests.benchmarks.figures import Figure, Spent, median, spending

TURNS, EVENTS = 40, 20_000
AGENTS, RATE, SECONDS = 50, 50, 10


def turns() -> Iterator[Figure]:
    """Each turn reads a file: two events before the call, two after it, and three checkpoints."""
    script = '!tool read_file {"path": "a.txt"}\n' * TURNS + "!say Done."
    found = [_alone(script) for _ in range(3)]
    each = {name: median([getattr(spent, name) for spent in found]) / (TURNS + 1) for name in vars(Spent())}
    parts = {name: each[name] * 1000 for name in ("database", "commit", "cpu")}
    yield Figure("agent_turn", each["seconds"] * 1000, {**parts, "statements": each["statements"]})


def events() -> Iterator[Figure]:
    found = [_alone(f"!stream {EVENTS}") for _ in range(3)]
    parts = {"CPU": median([spent.cpu for spent in found]) * 1e6 / EVENTS}
    yield Figure("agent_event", median([spent.seconds for spent in found]) * 1e6 / EVENTS, parts)


def crowd() -> Iterator[Figure]:
    """All at once in one process, for a while. The words of whoever falls behind reach the log over a longer time."""
    count = RATE * SECONDS
    step = _agent(f"!stream {count} {RATE}")
    plans = [ground.workflow_of(ground.project_in_folder(), [step]) for _ in range(AGENTS)]
    with pool() as workers:
        _make_room(workers)
        began, cpu = time.perf_counter(), _cpu()
        runs = [ground.launch(plan) for plan in plans]
        ended = ground.wait_until_over(runs)
        used = _cpu() - cpu
    parts = {"longest attempt, s": max(_attempts(runs)), "CPU of one core, %": used * 100 / (ended - began)}
    yield Figure("agents_streaming", AGENTS * count / max(SECONDS, *_streams(runs)), parts)


def _make_room(workers: Pool) -> None:
    """As with CCDASH_WORKERS=50: places, and connections for those who hold them."""
    workers.size = AGENTS
    if connection.vendor == "postgresql":
        connection.pool.resize(2, AGENTS + 16)  # type: ignore[attr-defined]


def _alone(script: str) -> Spent:
    project = ground.project_in_folder()
    Path(project.path, "a.txt").write_text("a line\n" * 20)
    run = ground.launch(ground.workflow_of(project, [_agent(script)]))
    assignment = ground.begin(run)
    assert assignment is not None
    host = host_for(assignment, ground.OWNER)
    with spending() as spent:
        worker.perform(assignment, host)
    ground.require(run, "succeeded")
    return spent


def _agent(script: str) -> ground.Step:
    prompt = f"Do it.\n{script}"
    return {
        "key": "a", "type": "sdk", "provider": "simulated", "prompt": prompt, "tools": ["read_file"],
        "max_turns": TURNS + 1,
    }  # fmt: skip


def _streams(runs: list[WorkflowRun]) -> list[float]:
    """Seconds between the first and the last stored words of each agent."""
    said = LogChunk.objects.filter(attempt__run__in=runs).values("attempt").annotate(first=Min("at"), last=Max("at"))
    return [(row["last"] - row["first"]).total_seconds() for row in said]


def _attempts(runs: list[WorkflowRun]) -> list[float]:
    attempts = ExecutionRun.objects.filter(run__in=runs).values_list("started_at", "finished_at")
    return [(finished - started).total_seconds() for started, finished in attempts]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
