"""Who may write now, inside this process.

The database's own locks decide; these only queue threads fairly before they get there. SQLite has one writer and
makes the others sleep and try again, so its writers queue here, and changes of runs share a commit; PostgreSQL locks
rows, so only changes of one run queue, and commits together by itself.
Always taken before a transaction begins, never inside one that does not hold it already.
"""

from __future__ import annotations

import threading
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from orchestration.engine.group_commit import GroupCommit, T, Work

_writer = threading.RLock()
_group = GroupCommit(_writer)
_runs: weakref.WeakValueDictionary[uuid.UUID, Any] = weakref.WeakValueDictionary()
_registry = threading.Lock()


class _RunLock:
    """An RLock that can be referred to weakly."""

    def __init__(self) -> None:
        self.lock = threading.RLock()


def do_in_run_transaction(run_id: uuid.UUID, work: Work[T]) -> T:
    """As within run_transaction; where changes queue for one writer, several may share its commit."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        return _group.do(work)
    with run_transaction(run_id):
        return work({})


@contextmanager
def run_transaction(run_id: uuid.UUID) -> Iterator[None]:
    """A transaction that changes one run."""
    if connection.vendor == "sqlite":
        with _writer, transaction.atomic():
            yield
        return
    with _registry:
        held = _runs.setdefault(run_id, _RunLock())
    with held.lock, transaction.atomic():
        yield


@contextmanager
def write_transaction() -> Iterator[None]:
    """A transaction that writes, but changes no run that exists already; or that will change one further in."""
    if connection.vendor == "sqlite":
        with _writer, transaction.atomic():
            yield
        return
    with transaction.atomic():
        yield
