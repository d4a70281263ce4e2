"""Lean statements for the engine's hot path: the cost of a step is decided here.

Loading and saving models costs more than the database does; these write only the columns that changed,
conditionally on what must still be so, and say how many rows they found. Values are adapted by the fields
themselves, so SQLite and PostgreSQL get the same meaning.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models

CHUNK = 100


class StaleRow(Exception):
    """A row was not as it was believed to be: somebody else changed it first."""


def insert(model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows given as attname -> value; all rows name the same columns."""
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        names = tuple(part[0])
        values = [adapted for row in part for adapted in _adapt(model, row)]
        with connection.cursor() as cursor:
            cursor.execute(_insert_sql(model, names, len(part), connection.vendor), values)


def update(model: type[models.Model], changes: Mapping[str, Any], **where: Any) -> int:
    """Update the rows that match; answers how many there were. A None in `where` means IS NULL."""
    nulls = tuple(name for name, value in where.items() if value is None)
    given = {name: value for name, value in where.items() if value is not None}
    sql = _update_sql(model, tuple(changes), tuple(given), nulls, connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*_adapt(model, changes), *_adapt(model, given)])
        return int(cursor.rowcount)


def update_each(model: type[models.Model], changes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
    """Several (changes, where) of the same columns. Raises StaleRow unless each found exactly one row."""
    if len(changes) == 1:
        found = update(model, changes[0][0], **changes[0][1])
    else:
        sql = _update_sql(model, tuple(changes[0][0]), tuple(changes[0][1]), (), connection.vendor)
        values = [[*_adapt(model, new), *_adapt(model, where)] for new, where in changes]
        with connection.cursor() as cursor:
            cursor.executemany(sql, values)
            found = int(cursor.rowcount)
    if found != len(changes):
        raise StaleRow(f"{model.__name__}: {len(changes) - found} of {len(changes)} rows had changed")


def _adapt(model: type[models.Model], values: Mapping[str, Any]) -> list[Any]:
    fields = _fields(model)
    return [_adapted(fields[name], value) for name, value in values.items()]


def _adapted(field: Any, value: Any) -> Any:
    # Plain numbers and text go as they are: asking the field costs more than the statement.
    if type(value) in _PLAIN and not isinstance(field, _SPECIAL):
        return value
    return field.get_db_prep_save(value, connection)


_PLAIN = (int, str, bool)
_SPECIAL = (models.JSONField, models.UUIDField, models.DecimalField, models.DateTimeField)


@functools.cache
def _fields(model: type[models.Model]) -> dict[str, Any]:
    return {field.attname: field for field in model._meta.concrete_fields}


@functools.cache
def _insert_sql(model: type[models.Model], names: tuple[str, ...], count: int, vendor: str) -> str:
    columns = ", ".join(_column(model, name) for name in names)
    row = "(" + ", ".join(["%s"] * len(names)) + ")"
    return f"INSERT INTO {_quote(model._meta.db_table)} ({columns}) VALUES {', '.join([row] * count)}"  # noqa: S608 - names of models


@functools.cache
def _update_sql(
    model: type[models.Model], names: tuple[str, ...], given: tuple[str, ...], nulls: tuple[str, ...], vendor: str
) -> str:
    columns = ", ".join(f"{_column(model, name)} = %s" for name in names)
    tests = [f"{_column(model, name)} = %s" for name in given]
    tests += [f"{_column(model, name)} IS NULL" for name in nulls]
    return f"UPDATE {_quote(model._meta.db_table)} SET {columns} WHERE {' AND '.join(tests)}"  # noqa: S608 - names of models


def _column(model: type[models.Model], name: str) -> str:
    return _quote(_fields(model)[name].column)


def _quote(name: str) -> str:
    return connection.ops.quote_name(name)
