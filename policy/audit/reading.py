"""Reads records for verification: from the database in small pages, or from an export, in the form that was hashed.

What is read may have been tampered with, so nothing of it is taken for granted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy.audit import chain
from policy.models import AuditHead, AuditRecord

PAGE = 1000
COLUMNS = (*chain.FIELDS, "hash")
LONGEST_LINE = 8 * 1024 * 1024

Record = Mapping[str, Any]


class Broken(Exception):
    """The first place where the log is not what was written, and what is wrong there."""

    def __init__(self, sequence: int | None, message: str) -> None:
        self.sequence = sequence
        super().__init__(message)


@dataclass(frozen=True)
class Head:
    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """From `SEQUENCE:HASH`, as verify_audit prints it. Raises ValueError."""
        sequence, _, value = text.strip().partition(":")
        if len(value) != len(chain.GENESIS):
            raise ValueError("A head is written SEQUENCE:HASH, with all 64 characters of the hash.")
        return cls(int(sequence), value)


def stored_head() -> Head:
    row = AuditHead.objects.values_list("sequence", "hash").first()
    if row is not None:
        return Head(*row)
    if AuditRecord.objects.exists():
        raise Broken(None, "The head of the log is missing, but records are there.")
    return Head(0, chain.GENESIS)


def stored_records(after: int = 0) -> Iterator[Record]:
    """In order, by pages, so that no long read holds up the writers."""
    while True:
        page = _page(after)
        yield from page
        if len(page) < PAGE:
            return
        after = int(page[-1]["sequence"])


def exported(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of an export, each a JSON object, with its number."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), start=1):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                raise Broken(None, f"Line {number} of {path} is not JSON.") from None
            if not isinstance(value, dict):
                raise Broken(None, f"Line {number} of {path} is not a record.")
            yield number, value


def exported_records(path: Path) -> Iterator[Record]:
    for number, line in exported(path):
        if "head" in line:
            continue
        if not _has_shape(line):
            raise Broken(_sequence_of(line), f"Line {number} of {path} is not a record of this log.")
        yield line


def exported_head(path: Path) -> Head:
    """The head stands in the last line; a file without one was cut off."""
    last: dict[str, Any] = {}
    for _, last in exported(path):
        if "head" in last:
            break
    head = last.get("head")
    if not isinstance(head, dict) or not isinstance(head.get("sequence"), int) or not isinstance(head.get("hash"), str):
        raise Broken(None, f"{path} has no head in its last line: it is cut off.")
    return Head(head["sequence"], head["hash"])


def _page(after: int) -> list[Record]:
    rows = AuditRecord.objects.filter(sequence__gt=after).order_by("sequence").values(*COLUMNS)[:PAGE]
    try:
        return [{**row, "at": chain.moment(row["at"])} for row in rows]
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Broken(_first_unreadable(after), "A record holds values that can't be read.") from None


def _first_unreadable(after: int) -> int | None:
    numbers = AuditRecord.objects.filter(sequence__gt=after).order_by("sequence").values_list("sequence", flat=True)
    return next((int(sequence) for sequence in numbers[:PAGE] if not _is_readable(sequence)), None)


def _is_readable(sequence: int) -> bool:
    try:
        return bool(chain.moment(AuditRecord.objects.get(sequence=sequence).at))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False


def _has_shape(line: dict[str, Any]) -> bool:
    structured = isinstance(line.get("before"), dict) and isinstance(line.get("after"), dict)
    texts = [name for name in COLUMNS if name not in ("sequence", "before", "after")]
    return (
        set(line) == set(COLUMNS)
        and type(line["sequence"]) is int
        and structured
        and all(isinstance(line[name], str) for name in texts)
    )


def _sequence_of(line: dict[str, Any]) -> int | None:
    sequence = line.get("sequence")
    return sequence if type(sequence) is int else None
