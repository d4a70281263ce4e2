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

from django.db import models

from orchestration.engine.statements import MARKS, Statement, connection_now, send

INSERT_ROWS = 100
UPDATE_ROWS = 500

Adapter = Callable[[Any], Any]
Change = tuple[Mapping[str, Any], Mapping[str, Any]]


def insert(model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows given as attname -> value; all rows name the same columns."""
    send(insertions(model, rows))


def update(model: type[models.Model], changes: Mapping[str, Any], **where: Any) -> int:
    """Update the rows that match; answers how many there were. A None in `where` means IS NULL."""
    return send([updating(model, changes, where)])[0]


def insertions(model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> list[Statement]:
    vendor = connection_now().vendor
    parts = [rows[start : start + INSERT_ROWS] for start in range(0, len(rows), INSERT_ROWS)]
    return [
        Statement(
            _insert_sql(model, tuple(part[0]), len(part), vendor),
            [adapted for row in part for adapted in _adapt(model, row, vendor)],
        )
        for part in parts
    ]


def updating(
    model: type[models.Model], changes: Mapping[str, Any], where: Mapping[str, Any], *, finds: int | None = None
) -> Statement:
    vendor = connection_now().vendor
    nulls = tuple(name for name, value in where.items() if value is None)
    given = {name: value for name, value in where.items() if value is not None}
    sql = _update_sql(model, tuple(changes), tuple(given), nulls, vendor)
    return Statement(sql, [*_adapt(model, changes, vendor), *_adapt(model, given, vendor)], finds)


def updates(model: type[models.Model], changes: Sequence[Change]) -> list[Statement]:
    """Several (changes, where) of the same columns, each of which must find exactly one row."""
    if len(changes) == 1:
        return [updating(model, new, where, finds=1) for new, where in changes]
    parts = [changes[start : start + UPDATE_ROWS] for start in range(0, len(changes), UPDATE_ROWS)]
    return [_updating_many(model, part) for part in parts]


def _updating_many(model: type[models.Model], changes: Sequence[Change]) -> Statement:
    """A database reads and plans one statement in the time of one, however many rows it names."""
    vendor = connection_now().vendor
    sql = _update_many_sql(model, tuple(changes[0][0]), tuple(changes[0][1]), len(changes), vendor)
    pairs = [mapping for change in changes for mapping in change]
    values = [value for mapping in pairs for value in _adapt(model, mapping, vendor)]
    return Statement(sql, values, finds=len(changes))


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
        return field.get_db_prep_save(value, connection_now())

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
def _insert_sql(model: type[models.Model], names: tuple[str, ...], count: int, vendor: str) -> str:
    columns = ", ".join(_column(model, name) for name in names)
    row = "(" + ", ".join([MARKS[vendor]] * len(names)) + ")"
    return f"INSERT INTO {_table(model)} ({columns}) VALUES {', '.join([row] * count)}"  # noqa: S608 - names of models


@functools.cache
def _update_sql(
    model: type[models.Model], names: tuple[str, ...], given: tuple[str, ...], nulls: tuple[str, ...], vendor: str
) -> str:
    columns = ", ".join(f"{_column(model, name)} = {MARKS[vendor]}" for name in names)
    tests = [f"{_column(model, name)} = {MARKS[vendor]}" for name in given]
    tests += [f"{_column(model, name)} IS NULL" for name in nulls]
    return f"UPDATE {_table(model)} SET {columns} WHERE {' AND '.join(tests)}"  # noqa: S608 - names of models


@functools.lru_cache(maxsize=256)
def _update_many_sql(
    model: type[models.Model], names: tuple[str, ...], given: tuple[str, ...], count: int, vendor: str
) -> str:
    heads = [*(f"new_{name}" for name in names), *(f"old_{name}" for name in given)]
    source = _rows_sqlite(heads, count) if vendor == "sqlite" else _rows_postgresql(model, names + given, heads, count)
    columns = ", ".join(f"{_column(model, name)} = given.new_{name}" for name in names)
    tests = " AND ".join(f"{_table(model)}.{_column(model, name)} = given.old_{name}" for name in given)
    return f"UPDATE {_table(model)} SET {columns} FROM {source} WHERE {tests}"  # noqa: S608 - names of models


def _rows_sqlite(heads: list[str], count: int) -> str:
    """SQLite numbers the columns of VALUES and lets nobody name them there."""
    row = f"({', '.join(['?'] * len(heads))})"
    named = ", ".join(f"column{number} AS {head}" for number, head in enumerate(heads, 1))
    return f"(SELECT {named} FROM (VALUES {', '.join([row] * count)})) AS given"  # noqa: S608 - names of models


def _rows_postgresql(model: type[models.Model], names: tuple[str, ...], heads: list[str], count: int) -> str:
    row = f"({', '.join(f'%s::{_type(model, name)}' for name in names)})"
    return f"(VALUES {', '.join([row] * count)}) AS given ({', '.join(heads)})"


def _type(model: type[models.Model], name: str) -> str:
    """What a value of this column is cast to. Text without a length: a cast would cut what is too long, unasked."""
    field = _fields(model)[name]
    return "text" if isinstance(field, models.CharField) else str(field.rel_db_type(connection_now()))


def _column(model: type[models.Model], name: str) -> str:
    return _quote(_fields(model)[name].column)


def _table(model: type[models.Model]) -> str:
    return _quote(model._meta.db_table)


def _quote(name: str) -> str:
    return connection_now().ops.quote_name(name)
