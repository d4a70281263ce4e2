"""How the engine's statements reach the database: several in one round trip where it is a server.

They go past Django's cursors, whose wrapping costs as much as the statement itself, but never past its transactions:
errors are Django's own, and a transaction that is broken refuses them. Values come adapted, as `rows` does it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

MARKS = {"sqlite": "?", "postgresql": "%s"}  # where a value goes
NARROW = 200
MOST_VALUES = 30_000  # PostgreSQL takes 65,535


class StaleRow(Exception):
    """A row was not as it was believed to be: somebody else changed it first."""


@dataclass(frozen=True)
class Statement:
    sql: str
    values: Sequence[Any]
    finds: int | None = None  # how many rows it must find; None where that doesn't matter

    @property
    def is_narrow(self) -> bool:
        """A shape that comes again and is worth a plan that is kept; a wide one comes once."""
        return len(self.values) <= NARROW


def send(statements: Sequence[Statement]) -> list[int]:
    """Execute them; answers how many rows each found. Raises StaleRow where one found others.

    All see the rows as they were before: no statement may build on another's work.
    """
    found = _together(statements) if connection_now().vendor == "postgresql" else _in_turn(statements)
    for statement, count in zip(statements, found, strict=True):
        if statement.finds not in (None, count):
            raise StaleRow(f"{count} rows were found instead of {statement.finds}: {statement.sql[:60]}")
    return found


def ask(statement: Statement) -> tuple[Any, ...] | None:
    """The first row of what it selects."""
    row: tuple[Any, ...] | None = deliver(statement).fetchone()
    return row


def deliver(statement: Statement) -> Any:
    """One journey to the database and back; answers the cursor with what it brought."""
    database = connection_now()
    database.ensure_connection()
    database.validate_no_broken_transaction()
    with database.wrap_database_errors:
        if database.vendor == "sqlite":
            return database.connection.execute(statement.sql, statement.values)
        return _server_cursor(database).execute(statement.sql, statement.values, prepare=statement.is_narrow)


def connection_now() -> BaseDatabaseWrapper:
    """The connection itself: every look through Django's proxy costs as much as adapting a value."""
    return connections[DEFAULT_DB_ALIAS]


def _in_turn(statements: Sequence[Statement]) -> list[int]:
    """SQLite keeps each shape prepared, and no wire lies between."""
    return [int(deliver(statement).rowcount) for statement in statements]


def _together(statements: Sequence[Statement]) -> list[int]:
    """As one statement, as long as it may hold the values of all."""
    if len(statements) <= 1 or sum(len(statement.values) for statement in statements) > MOST_VALUES:
        return _in_turn(statements)
    values = [value for statement in statements for value in statement.values]
    return list(ask(Statement(_joined(tuple(statement.sql for statement in statements)), values)) or ())


@functools.lru_cache(maxsize=256)
def _joined(parts: tuple[str, ...]) -> str:
    named = ", ".join(f"part{number} AS ({sql} RETURNING 1)" for number, sql in enumerate(parts))
    counts = ", ".join(f"(SELECT count(*) FROM part{number})" for number in range(len(parts)))  # noqa: S608 - ours
    return f"WITH {named} SELECT {counts}"


def _server_cursor(database: BaseDatabaseWrapper) -> Any:
    """The server binds the values and keeps the plan; Django's own cursors write the values into the text."""
    from psycopg import Cursor

    return Cursor(database.connection)
