"""What a benchmark answers, and how it is timed: medians of repeats, never a single look."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from django.db import connection

from orchestration.engine import statements


@dataclass(frozen=True)
class Figure:
    """One line of the table on one database. `parts` says what the value is made of."""

    key: str
    value: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Spent:
    """What went by between two moments: clock, own CPU, and the database as this thread saw it."""

    seconds: float = 0.0
    cpu: float = 0.0
    database: float = 0.0
    commit: float = 0.0
    statements: int = 0
    round_trips: int = 0
    commits: int = 0


def median(values: Sequence[float]) -> float:
    return percentile(values, 50)


def percentile(values: Sequence[float], wanted: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * wanted / 100))]


def repeat(times: int, act: Callable[[], Any]) -> list[float]:
    """Seconds of each call. The collector runs between them, so that nobody pays for another's waste."""
    found = []
    for _ in range(times):
        gc.collect()
        started = time.perf_counter()
        act()
        found.append(time.perf_counter() - started)
    return found


@contextmanager
def spending() -> Iterator[Spent]:
    """Filled in at the end. BEGIN is no statement; a COMMIT counts apart."""
    spent = Spent()
    gc.collect()
    cpu, started = _cpu(), time.perf_counter()
    with _counted(spent):
        yield spent
    spent.seconds, spent.cpu = time.perf_counter() - started, _cpu() - cpu


@contextmanager
def _counted(spent: Spent) -> Iterator[None]:
    def execute(run: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        with _noted(spent, "database"):
            spent.statements += not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE"))
            return run(sql, parameters, many, context)

    def deliver(statement: statements.Statement) -> Any:
        with _noted(spent, "database"):
            spent.statements += 1
            return delivered(statement)

    def commit() -> None:
        with _noted(spent, "commit"):
            spent.commits += 1
            committed()

    delivered, committed = statements.deliver, connection._commit  # type: ignore[attr-defined]
    with (
        mock.patch.object(connection, "_commit", commit),
        mock.patch.object(statements, "deliver", deliver),
        connection.execute_wrapper(execute),
    ):
        yield


@contextmanager
def _noted(spent: Spent, kind: str) -> Iterator[None]:
    """One journey to the database and back."""
    started = time.perf_counter()
    try:
        yield
    finally:
        spent.round_trips += 1
        setattr(spent, kind, getattr(spent, kind) + time.perf_counter() - started)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
