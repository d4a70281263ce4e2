"""Lists in portions. A cursor is the place of the last row, so that rows that come or go meanwhile shift nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from ninja import Query

Row = TypeVar("Row", bound=Model)
Place = tuple[datetime, UUID]
Portion = tuple[list[Any], str | None]  # rows, and the cursor of the next portion

PLACE = r"^[0-9]{15,16}-[0-9a-f]{32}$"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
Cursor = Annotated[str, Query(pattern=PLACE, description="`next_cursor` of the answer before; opaque.")]
Number = Annotated[str, Query(pattern=r"^[0-9]{1,18}$", description="`next_cursor` of the answer before; opaque.")]
After = Annotated[int, Query(ge=0, le=2**62, description="Only what comes after this number.")]


def newest_first(rows: QuerySet[Row], limit: int, cursor: str | None) -> Portion:
    found = after_cursor(rows, cursor, "created_at").order_by("-created_at", "-pk")
    return cut(list(found[: limit + 1]), limit, "created_at")


def oldest_first(rows: QuerySet[Row], limit: int, cursor: str | None) -> Portion:
    found = after_cursor(rows, cursor, "created_at", way="gt").order_by("created_at", "pk")
    return cut(list(found[: limit + 1]), limit, "created_at")


def after_cursor(rows: QuerySet[Row], cursor: str | None, column: str, *, way: str = "lt") -> QuerySet[Row]:
    """The rows beyond the place that a cursor names."""
    if not cursor:
        return rows
    at, pk = place_of(cursor)
    return rows.filter(Q(**{f"{column}__{way}": at}) | Q(**{column: at, f"pk__{way}": pk}))


def by_number(rows: QuerySet[Row], limit: int, cursor: str | None) -> Portion:
    found = list(rows.filter(pk__gt=int(cursor or 0)).order_by("pk")[: limit + 1])
    return found[:limit], str(found[limit - 1].pk) if len(found) > limit else None


def cut(found: Sequence[Any], limit: int, column: str) -> Portion:
    """One row more than asked for tells that there is a next portion."""
    if len(found) <= limit:
        return list(found), None
    last = found[limit - 1]
    at, pk = (last[column], last["id"]) if isinstance(last, dict) else (getattr(last, column), last.pk)
    return list(found[:limit]), cursor_of(at, pk)


def cursor_of(at: datetime, pk: UUID) -> str:
    return f"{(at - EPOCH) // timedelta(microseconds=1)}-{pk.hex}"


def place_of(cursor: str) -> Place:
    microseconds, _, pk = cursor.partition("-")
    return EPOCH + timedelta(microseconds=int(microseconds)), UUID(hex=pk)
