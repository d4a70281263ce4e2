"""An attempt's output as numbered lines: a window of them, and how many there are.

Numbers count line breaks in the stored text, so a line keeps its number for ever. A last line that is still being
written is not counted before the attempt is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.models import ExecutionRun, LogChunk

LONGEST_LINE = 10_000
AT_ONCE = 2000


@dataclass(frozen=True)
class Line:
    number: int
    stream: str
    at: datetime
    text: str


@dataclass(frozen=True)
class Extent:
    """How far an attempt's output reaches now."""

    attempt_id: UUID
    number: int
    total: int
    open: bool


def extent(attempt: ExecutionRun) -> Extent:
    is_open = attempt.finished_at is None
    return Extent(attempt.pk, attempt.number, _total(attempt.pk, attempt.log_lines, is_open), is_open)


def _total(attempt_id: UUID, breaks: int, is_open: bool) -> int:
    if is_open:
        return breaks
    last = LogChunk.objects.filter(attempt_id=attempt_id).order_by("-offset").values_list("text", flat=True).first()
    return breaks + (1 if last and not last.endswith("\n") else 0)


def window(found: Extent, first: int, last: int) -> list[Line]:
    """Lines `first` to `last`, as far as they are there; at most AT_ONCE. Two statements."""
    first = max(1, first)
    last = min(last, found.total, first + AT_ONCE - 1)
    return _read(found.attempt_id, first, last) if last >= first else []


def _read(attempt_id: UUID, first: int, last: int) -> list[Line]:
    chunks: Any = LogChunk.objects.filter(attempt_id=attempt_id).order_by("offset")
    if first > 1:
        # Line n begins after break n - 1, which is in the last chunk that fewer breaks come before.
        start = chunks.filter(first_line__lt=first - 1).order_by("-offset").values_list("offset", flat=True).first()
        chunks = chunks.filter(offset__gte=start or 0)
    lines: list[Line] = []
    building = _Building()
    for breaks, stream, at, text in chunks.values_list("first_line", "stream", "at", "text").iterator(chunk_size=50):
        *ended, rest = text.split("\n")
        for number, part in enumerate(ended, start=breaks + 1):
            building.add(part, stream, at)
            if number >= first:
                lines.append(building.line(number))
            if number == last:
                return lines
            building = _Building()
        building.add(rest, stream, at)
    if len(lines) < last - first + 1 and building.has_text:
        lines.append(building.line(last))
    return lines


class _Building:
    """A line while its parts come in; longer than anybody reads, it is cut, and says so."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._stream = "stdout"
        self._at: datetime | None = None

    def add(self, part: str, stream: str, at: datetime) -> None:
        if self._at is None or not self._length:
            self._stream, self._at = stream, at
        if self._length < LONGEST_LINE:
            self._parts.append(part[:LONGEST_LINE])
        self._length += len(part)

    @property
    def has_text(self) -> bool:
        return self._length > 0

    def line(self, number: int) -> Line:
        text = "".join(self._parts)[:LONGEST_LINE]
        if self._length > LONGEST_LINE:
            text += f" … ({self._length - LONGEST_LINE} more characters; the raw download has them)"
        assert self._at is not None  # noqa: S101
        return Line(number, self._stream, self._at, text.removesuffix("\r"))
