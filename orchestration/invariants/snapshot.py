"""One consistent view of all rows while runs go on, that can't write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def read_snapshot() -> Iterator[None]:
    """Everything read inside is of one moment. Inside a transaction already, that one decides."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with _deferred_transaction():
            yield
    else:
        with transaction.atomic():
            _execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # Hashing files between two statements may take longer than a request may.
            _execute("SET LOCAL statement_timeout = 0")
            _execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield


@contextmanager
def _deferred_transaction() -> Iterator[None]:
    """Django's own would be immediate and keep every writer waiting; this one takes no lock in WAL mode."""
    _execute("PRAGMA query_only = 1")
    _execute("BEGIN DEFERRED")
    try:
        yield
    finally:
        _execute("ROLLBACK")
        _execute("PRAGMA query_only = 0")


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
