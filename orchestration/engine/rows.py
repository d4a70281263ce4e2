"""Lean statements for the engine's hot path: the cost of a step is decided here.

Loading and saving models costs more than the database does; these write only the columns that changed,
conditionally on what must still be so, and say how many rows they found. Values are adapted as the fields
would do it, so SQLite and PostgreSQL get the same meaning.
"""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

INSERT_ROWS = 100
UPDATE_ROWS = 500

Adapter = Callable[[Any], Any]
Change = tuple[Mapping[str, Any], Mapping[str, Any]]


class StaleRow(Exception):
    """A row was not as it was believed to be: somebody else changed it first."""


def insert(model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows given as attname -> value; all rows name the same columns."""
    database = _database()
    for start in range(0, len(rows), INSERT_ROWS):
        part = rows[start : start + INSERT_ROWS]
        values = [adapted for row in part for adapted in _adapt(model, row, database.vendor)]
        with database.cursor() as cursor:
            cursor.execute(_insert_sql(model, tuple(part[0]), len(part)), values)


def update(model: type[models.Model], changes: Mapping[str, Any], **where: Any) -> int:
    """Update the rows that match; answers how many there were. A None in `where` means IS NULL."""
    database = _database()
    nulls = tuple(name for name, value in where.items() if value is None)
    given = {name: value for name, value in where.items() if value is not None}
    sql = _update_sql(model, tuple(changes), tuple(given), nulls)
    with database.cursor() as cursor:
        cursor.execute(sql, [*_adapt(model, changes, database.vendor), *_adapt(model, given, database.vendor)])
        return int(cursor.rowcount)


def update_each(model: type[models.Model], changes: Sequence[Change]) -> None:
    """Several (changes, where) of the same columns. Raises StaleRow unless each found exactly one row."""
    if len(changes) == 1:
        found = update(model, changes[0][0], **changes[0][1])
    elif _database().vendor == "sqlite":
        found = _update_one_by_one(model, changes)
    else:
        found = _update_at_once(model, changes)
    if found != len(changes):
        raise StaleRow(f"{model.__name__}: {len(changes) - found} of {len(changes)} rows had changed")


def _update_one_by_one(model: type[models.Model], changes: Sequence[Change]) -> int:
    """SQLite keeps the statement prepared, which no longer statement could better."""
    sql = _update_sql(model, tuple(changes[0][0]), tuple(changes[0][1]), ())
    values = [[*_adapt(model, new, "sqlite"), *_adapt(model, where, "sqlite")] for new, where in changes]
    with _database().cursor() as cursor:
        cursor.executemany(sql, values)
        return int(cursor.rowcount)


def _update_at_once(model: type[models.Model], changes: Sequence[Change]) -> int:
    """A server reads and plans one statement in the time of one, however many rows it names."""
    database, found = _database(), 0
    for start in range(0, len(changes), UPDATE_ROWS):
        part = changes[start : start + UPDATE_ROWS]
        sql = _update_many_sql(model, tuple(part[0][0]), tuple(part[0][1]), len(part))
        pairs = [mapping for change in part for mapping in change]
        with database.cursor() as cursor:
            cursor.execute(sql, [value for mapping in pairs for value in _adapt(model, mapping, database.vendor)])
            found += int(cursor.rowcount)
    return found


def _database() -> BaseDatabaseWrapper:
    """The connection itself: every look through Django's proxy costs as much as adapting a value."""
    return connections[DEFAULT_DB_ALIAS]


def _adapt(model: type[models.Model], values: Mapping[str, Any], vendor: str) -> list[Any]:
    columns = _adapters(model, vendor)
    return [
        None if value is None else (columns[name].get(type(value)) or columns[name][None])(value)
        for name, value in values.items()
    ]


@functools.cache
def _adapters(model: type[models.Model], vendor: str) -> dict[str, dict[type | None, Adapter]]:
    return {name: _adapters_of(field, vendor) for name, field in _fields(model).items()}


def _adapters_of(field: Any, vendor: str) -> dict[type | None, Adapter]:
    """By type of the value; under None what does for all others, which is the field itself."""
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    on_sqlite = vendor == "sqlite"

    def ask_field(value: Any) -> Any:
        return field.get_db_prep_save(value, _database())

    if isinstance(target, models.JSONField):
        return {None: json.dumps if on_sqlite and target.encoder is None else ask_field}
    if isinstance(target, models.UUIDField):
        return {uuid.UUID: _hex if on_sqlite else _as_it_is, None: ask_field}
    if isinstance(target, models.DateTimeField):
        return {datetime: _naive if on_sqlite else _as_it_is, None: ask_field}
    if isinstance(target, models.DecimalField):
        return {None: ask_field}
    return {int: _as_it_is, str: _as_it_is, bool: _as_it_is, None: ask_field}


def _as_it_is(value: Any) -> Any:
    return value


def _hex(value: uuid.UUID) -> str:
    return value.hex


def _naive(value: datetime) -> str:
    """As Django stores moments in SQLite."""
    return str(value.astimezone(UTC).replace(tzinfo=None))


@functools.cache
def _fields(model: type[models.Model]) -> dict[str, Any]:
    return {field.attname: field for field in model._meta.concrete_fields}


@functools.cache
def _insert_sql(model: type[models.Model], names: tuple[str, ...], count: int) -> str:
    columns = ", ".join(_column(model, name) for name in names)
    row = "(" + ", ".join(["%s"] * len(names)) + ")"
    return f"INSERT INTO {_table(model)} ({columns}) VALUES {', '.join([row] * count)}"  # noqa: S608 - names of models


@functools.cache
def _update_sql(
    model: type[models.Model], names: tuple[str, ...], given: tuple[str, ...], nulls: tuple[str, ...]
) -> str:
    columns = ", ".join(f"{_column(model, name)} = %s" for name in names)
    tests = [f"{_column(model, name)} = %s" for name in given]
    tests += [f"{_column(model, name)} IS NULL" for name in nulls]
    return f"UPDATE {_table(model)} SET {columns} WHERE {' AND '.join(tests)}"  # noqa: S608 - names of models


@functools.lru_cache(maxsize=256)
def _update_many_sql(model: type[models.Model], names: tuple[str, ...], given: tuple[str, ...], count: int) -> str:
    types = ", ".join(f"%s::{_type(model, name)}" for name in (*names, *given))
    heads = ", ".join([*(f"new_{name}" for name in names), *(f"old_{name}" for name in given)])
    columns = ", ".join(f"{_column(model, name)} = given.new_{name}" for name in names)
    tests = " AND ".join(f"{_table(model)}.{_column(model, name)} = given.old_{name}" for name in given)
    rows = ", ".join([f"({types})"] * count)
    return f"UPDATE {_table(model)} SET {columns} FROM (VALUES {rows}) AS given ({heads}) WHERE {tests}"  # noqa: S608 - names of models


def _type(model: type[models.Model], name: str) -> str:
    """What a value of this column is cast to. Text without a length: a cast would cut what is too long, unasked."""
    field = _fields(model)[name]
    return "text" if isinstance(field, models.CharField) else str(field.rel_db_type(_database()))


def _column(model: type[models.Model], name: str) -> str:
    return _quote(_fields(model)[name].column)


def _table(model: type[models.Model]) -> str:
    return _quote(model._meta.db_table)


def _quote(name: str) -> str:
    return _database().ops.quote_name(name)
