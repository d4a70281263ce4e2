"""The in-process worker: threads that start and follow attempts, a heart that renews leases, a sweeper that repairs.

One per process, in `serve` and in `run_worker`. Nudges go into a queue; whatever is lost there the sweeper finds.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from orchestration import audit_delivery, dispatch, processes, retention, worker
from orchestration.agent_hosting import host_for
from orchestration.engine import recovering
from orchestration.engine.errors import EngineError
from orchestration.engine.recovering import Orphan
from orchestration.engine.starting import Assignment
from orchestration.hosting import AttemptHost
from orchestration.lanes import Lanes
from orchestration.reconciliation import Reconciliation
from orchestration.spawner import host_name
from policy import audit

logger = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 2.0
SWEEP_SECONDS = 1.0
RECONCILE_SECONDS = 5.0
SEAL_SECONDS = 60.0
DELIVER_SECONDS = 30.0
TIDY_SECONDS = 3600.0
# How long a thread goes from step to step of one run while other projects wait for a thread
TURN_SECONDS = 0.5
Job = Callable[[], Assignment | None]


class Pool:
    """Up to `size` attempts at once. Threads are made when they are first needed."""

    def __init__(self, size: int) -> None:
        self.owner = owner_name()
        self.size = size
        self._jobs: Lanes[Job] = Lanes()
        self._hosts: dict[uuid.UUID, AttemptHost] = {}
        self._queued: set[int] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._reconciliation = Reconciliation()

    def start(self) -> None:
        """Take up what a dead process left, then go on by itself."""
        dispatch.register(self)
        loops = (
            ("heart", self._beat, HEARTBEAT_SECONDS),
            ("sweeper", self._sweep, SWEEP_SECONDS),
            ("reconciler", self._reconciliation.step, RECONCILE_SECONDS),
            ("caretaker", retention.remove_due, TIDY_SECONDS),
            ("notary", audit.write_checkpoint_if_due, SEAL_SECONDS),
            # A thread of its own: whoever is slow to take a checkpoint holds up no seal.
            ("courier", audit_delivery.deliver, DELIVER_SECONDS),
        )
        for name, act, pause in loops:
            threading.Thread(target=self._forever, args=(act, pause), name=name, daemon=True).start()

    def stop(self) -> None:
        """No new work. Commands live on under their supervisors and are taken up at the next start."""
        dispatch.unregister(self)
        self._stopping.set()
        self._jobs.close()

    def nudge(self, project_id: int, run_id: uuid.UUID, step_run_id: int) -> None:
        with self._lock:
            if step_run_id in self._queued or self._stopping.is_set():
                return
            self._queued.add(step_run_id)
        self._put(project_id, lambda: self._begin(run_id, step_run_id))

    def control_changed(self, run_id: uuid.UUID) -> None:
        for host in list(self._hosts.values()):
            if host.assignment.run_id == run_id:
                host.ask_to_cancel()

    def _begin(self, run_id: uuid.UUID, step_run_id: int) -> Assignment | None:
        with self._lock:
            self._queued.discard(step_run_id)
        return worker.begin(run_id, owner=self.owner, step_run_id=step_run_id)

    def _put(self, project_id: int, job: Job) -> None:
        if self._jobs.put(project_id, job):
            return
        with self._lock:
            if len(self._threads) >= self.size:
                return
            thread = threading.Thread(target=self._work, name=f"worker-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while not self._stopping.is_set():
            job = self._jobs.take()
            if job is None:
                return
            self._do(job)

    def _do(self, job: Job) -> None:
        """One job and what follows from it on the same thread. A loop that logs and goes on."""
        _freshen_connection()
        try:
            assignment, since = job(), time.monotonic()
            while assignment is not None:
                assignment = self._perform(assignment, since)
        except (EngineError, DatabaseError):
            logger.warning("a job could not be done now; the sweeper comes back to it", exc_info=True)
        except Exception:
            logger.exception("a worker thread failed")

    def _perform(self, assignment: Assignment, since: float) -> Assignment | None:
        host = host_for(assignment, self.owner)
        self._hosts[assignment.attempt_id] = host
        try:
            following = worker.perform(assignment, host, wants_next=lambda: self._keeps(assignment, since))
        finally:
            del self._hosts[assignment.attempt_id]
        if following is None:
            self._offer_place(assignment)
        return following

    def _keeps(self, assignment: Assignment, since: float) -> bool:
        """Whether a thread goes on with the run that it is at. To the same run it hands a place on in one change; that
        is worth a short wait of the others, and no more."""
        is_over = time.monotonic() - since >= TURN_SECONDS
        gives_way = is_over and self._jobs.others_wait(assignment.project_id)
        return not (gives_way or self._stopping.is_set())

    def _offer_place(self, assignment: Assignment) -> None:
        """A slot is free: the project's next queued run, and steps that found none."""
        recovering.admit_next(assignment.project_id)
        recovering.nudge_ready(assignment.project_id)

    def _beat(self) -> None:
        hosts = dict(self._hosts)
        if not hosts:
            return
        held = {attempt_id: orders for attempt_id, *orders in recovering.renew_leases(self.owner)}
        for attempt_id, host in hosts.items():
            control, sync = held.get(attempt_id, ("", ""))
            if attempt_id not in held and attempt_id in self._hosts:
                host.say_lost()
            elif control == "cancel":
                host.ask_to_cancel()
            elif sync == "stale":
                host.ask_to_look()

    def _sweep(self) -> None:
        for orphan in recovering.orphans(self._is_dead):
            self._adopt(orphan)
        recovering.sweep()

    def _adopt(self, orphan: Orphan) -> None:
        if orphan.attempt_id in self._hosts:
            return
        where = orphan.owner.split("|")[0]
        if where != host_name() and not orphan.is_portable:
            recovering.give_up(orphan, f"It ran on {where!r}, which has not been heard of since its lease ended.")
            return
        assignment = recovering.take_up(orphan, owner=self.owner)
        if assignment is not None:
            self._put(assignment.project_id, lambda: assignment)

    def _is_dead(self, owner: str) -> bool:
        """Known at once for processes of this machine; of others only the lease tells."""
        if owner == self.owner:
            return False
        where, pid, born, _ = (*owner.split("|"), "", "", "")[:4]
        return where == host_name() and not (pid.isdigit() and processes.is_same(int(pid), born))

    def _forever(self, act: Callable[[], object], pause: float) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                act()
            except Exception:
                logger.warning("%s failed; trying again", threading.current_thread().name, exc_info=True)
            finally:
                _freshen_connection()
            self._stopping.wait(max(0.05, pause - (time.monotonic() - started)))


@contextmanager
def embedded() -> Iterator[Pool]:
    """A worker inside the web process, for as long as it serves."""
    pool = Pool(settings.WORKERS)
    pool.start()
    try:
        yield pool
    finally:
        pool.stop()


def _freshen_connection() -> None:
    """A pooled connection goes back; one to a file is kept unless it failed, for opening one costs a step."""
    if connection.vendor != "sqlite" or connection.errors_occurred:
        close_old_connections()


def owner_name() -> str:
    """Who holds a lease: machine, process, its start, and a word of its own. Never the same twice."""
    pid = os.getpid()
    return f"{host_name()[:40]}|{pid}|{processes.start_time(pid)}|{secrets.token_hex(4)}"[:100]
