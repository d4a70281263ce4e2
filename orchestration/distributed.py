"""Nudges from any process to any worker process, through PostgreSQL: no broker beside the database.

A nudge is a job of procrastinate's that says which step may be started. Its lock keeps one for each step; losing it
costs a second, until a worker's sweeper comes by. The step's own row decides who starts it.
"""

from __future__ import annotations

import asyncio
import threading
import uuid

from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from orchestration.pool import Pool

QUEUE = "ccdash-steps"
_pools: list[Pool] = []


@app.task(name="ccdash.start_step", queue=QUEUE)
async def start_step(project_id: int, run_id: str, step_run_id: int) -> None:
    """Runs in a worker process; hands the step to its pool and is done."""
    for pool in _pools:
        pool.nudge(project_id, uuid.UUID(run_id), step_run_id)


class Distributed:
    """The dispatcher of processes that have no pool of their own."""

    def nudge(self, project_id: int, run_id: uuid.UUID, step_run_id: int) -> None:
        job = start_step.configure(queueing_lock=f"step-{step_run_id}")
        try:
            job.defer(project_id=project_id, run_id=str(run_id), step_run_id=step_run_id)
        except AlreadyEnqueued:
            return

    def control_changed(self, run_id: uuid.UUID) -> None:
        """Workers read the flag with every heartbeat."""


def listen(pool: Pool) -> None:
    """Pass nudges on to this process's pool from now on, on a thread of its own."""
    _pools.append(pool)
    threading.Thread(target=lambda: asyncio.run(_listen()), name="nudges", daemon=True).start()


async def _listen() -> None:
    with_own_connections = app.with_connector(app.connector.get_worker_connector())  # type: ignore[attr-defined]
    async with with_own_connections.open_async() as listening:
        await listening.run_worker_async(
            queues=[QUEUE], concurrency=8, delete_jobs="always", install_signal_handlers=False
        )
