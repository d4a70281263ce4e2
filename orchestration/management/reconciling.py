"""Settles what dead workers of this machine left: results that lie there, and work that was never begun.

A command that still runs is followed for a moment and then left as it is: it lives under its supervisor, and the
next worker takes it up. The engine's own fences make this safe beside any number of workers.
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import DatabaseError, connection

from orchestration import processes
from orchestration.agent_hosting import host_for
from orchestration.engine import recovering
from orchestration.engine.errors import EngineError
from orchestration.engine.recovering import Orphan
from orchestration.engine.starting import Assignment
from orchestration.models import ExecutionRun
from orchestration.pool import owner_name
from orchestration.spawner import host_name
from orchestration.worker import perform

logger = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 5.0


class Reconciler:
    def __init__(self, wait_seconds: float) -> None:
        self.owner = owner_name()
        self._wait = wait_seconds

    def adopt_orphans(self) -> tuple[int, int]:
        """How many attempts were settled, and how many were left to others."""
        found = recovering.orphans(is_dead)
        mine = [orphan for orphan in found if orphan.owner.split("|")[0] == host_name()]
        threads = [threading.Thread(target=self._adopt, args=(orphan,), daemon=True) for orphan in mine]
        for thread in threads:
            thread.start()
        self._follow(threads)
        settled = _closed(found)
        return settled, len(found) - settled

    def _follow(self, threads: list[threading.Thread]) -> None:
        until, beat = time.monotonic() + self._wait, time.monotonic()
        while any(thread.is_alive() for thread in threads) and time.monotonic() < until:
            if time.monotonic() - beat >= HEARTBEAT_SECONDS:
                recovering.renew_leases(self.owner)
                beat = time.monotonic()
            threads[0].join(0.05)
            threads = [thread for thread in threads if thread.is_alive()] or threads

    def _adopt(self, orphan: Orphan) -> None:
        try:
            assignment = recovering.take_up(orphan, owner=self.owner)
            if assignment is not None:
                self._perform(assignment)
        except (EngineError, DatabaseError):
            logger.warning("attempt %s could not be taken up now", orphan.attempt_id, exc_info=True)
        finally:
            connection.close()

    def _perform(self, assignment: Assignment) -> None:
        perform(assignment, host_for(assignment, self.owner), wants_next=lambda: False)


def is_dead(owner: str) -> bool:
    """Known at once for processes of this machine; of others only the lease tells."""
    where, pid, born, _ = (*owner.split("|"), "", "", "")[:4]
    return where == host_name() and not (pid.isdigit() and processes.is_same(int(pid), born))


def _closed(found: list[Orphan]) -> int:
    names = [orphan.attempt_id for orphan in found]
    return ExecutionRun.objects.filter(pk__in=names, finished_at__isnull=False).count()
