"""Walks the chain and names the first place where the log is not what was written.

The chain alone shows what was changed, moved, added or left out inside. A tail that was cut off or rewritten as a
whole, or an old backup put back, shows only against something kept elsewhere: a head, or signed checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from policy.audit import chain, reading
from policy.audit.checkpoints import load_checkpoints
from policy.audit.evidence import Evidence, Witness
from policy.audit.reading import Broken, Head, Record
from policy.canonical import CanonicalError
from policy.models import AuditRecord

TAIL = 1000
LONGEST_RANGE = 20_000


@dataclass(frozen=True)
class VerifyResult:
    ok: bool
    records: int
    head: Head
    first_broken: int | None
    message: str
    sealed: int = 0  # the last record that a checkpoint vouches for


@dataclass
class Walk:
    """Where the walk is: everything up to `last` is whole."""

    last: Head = field(default_factory=lambda: Head(0, chain.GENESIS))
    count: int = 0
    project: str | None = None
    watchers: Sequence[Callable[[Record], None]] = ()

    def take(self, records: Iterable[Record]) -> None:
        for record in records:
            self._check(record)
            self.last = Head(record["sequence"], record["hash"])
            self.count += self.project in (None, record["project"])
            for watch in self.watchers:
                watch(record)

    def _check(self, record: Record) -> None:
        sequence, expected = record["sequence"], self.last.sequence + 1
        if sequence > expected:
            raise Broken(expected, f"Record {expected} is missing: {sequence} comes after {expected - 1}.")
        if sequence < expected:
            raise Broken(sequence, f"Record {sequence} stands where {expected} should.")
        if _hash_of(record) != record["hash"]:
            raise Broken(sequence, f"Record {sequence} was changed: its hash is not that of its content.")
        if record["previous_hash"] != self.last.hash:
            raise Broken(sequence, f"Record {sequence} does not follow on record {expected - 1}: one was rewritten.")


def verify(
    project: str | None = None,
    *,
    export: Path | None = None,
    checkpoints: Path | None = None,
    public_key: Path | None = None,
    kept: Sequence[Head] = (),
    max_gap: timedelta | None = None,
    watch: Callable[[Record], None] | None = None,
) -> VerifyResult:
    """The database's log, or an export of one, by itself and against what was kept elsewhere.

    The chain runs through all projects, so all of it is walked; `project` says whose records are counted.
    """
    walk, sealed = Walk(project=project), 0
    try:
        seals = load_checkpoints(checkpoints, public_key) if checkpoints else []
        witness = Witness(Evidence(seals, kept, max_gap))
        walk.watchers = [witness.see, watch] if watch else [witness.see]
        _walk_to_the_head(walk, export)
        witness.finish(walk.last)
        sealed = witness.sealed
    except Broken as broken:
        return VerifyResult(False, walk.count, walk.last, broken.sequence, str(broken))
    return VerifyResult(True, walk.count, walk.last, None, _praise(walk, sealed), sealed)


def verify_tail(limit: int = TAIL) -> VerifyResult:
    """The newest records and the head only: cheap enough for a page, which has to say that it is no more."""
    walk = Walk()
    try:
        before = max(0, reading.stored_head().sequence - limit)
        walk.last = _place(before)
        _walk_to_the_head(walk, None)
    except Broken as broken:
        return VerifyResult(False, walk.count, walk.last, broken.sequence, str(broken))
    return VerifyResult(True, walk.count, walk.last, None, f"The newest {walk.count} records are whole.")


def verify_range(first: int, last: int, limit: int = LONGEST_RANGE) -> VerifyResult:
    """Every record from `first` to `last`, and that they follow on one another and on the one before them."""
    walk = Walk()
    try:
        if last - first >= limit:
            raise Broken(first, f"Records {first} to {last} are too many to look at here: verify_audit looks at all.")
        walk.last = _place(first - 1)
        walk.take(record for record in reading.stored_records(after=first - 1) if record["sequence"] <= last)
        if walk.last.sequence != last:
            raise Broken(walk.last.sequence + 1, f"Record {walk.last.sequence + 1} is missing.")
    except Broken as broken:
        return VerifyResult(False, walk.count, walk.last, broken.sequence, str(broken))
    return VerifyResult(True, walk.count, walk.last, None, f"Records {first} to {last} are whole.")


def _walk_to_the_head(walk: Walk, export: Path | None) -> None:
    if export is not None:
        walk.take(reading.exported_records(export))
        return _compare(walk.last, reading.exported_head(export))
    while True:  # records may be added while we read: until nothing is left between the last one and the head
        before = walk.last.sequence
        walk.take(reading.stored_records(after=before))
        head = reading.stored_head()
        if head.sequence <= walk.last.sequence or walk.last.sequence == before:
            return _compare(walk.last, head)


def _compare(last: Head, head: Head) -> None:
    if head.sequence > last.sequence:
        raise Broken(last.sequence + 1, f"Record {last.sequence + 1} is missing: the head stands at {head.sequence}.")
    if head.sequence < last.sequence:
        raise Broken(head.sequence + 1, f"Record {head.sequence + 1} stands beyond the head: it was put in.")
    if head.hash != last.hash:
        raise Broken(last.sequence, f"Record {last.sequence} is not the one that the head names.")


def _place(sequence: int) -> Head:
    if sequence == 0:
        return Head(0, chain.GENESIS)
    found = AuditRecord.objects.filter(sequence=sequence).values_list("sequence", "hash").first()
    if found is None:
        raise Broken(sequence, f"Record {sequence} is missing.")
    return Head(*found)


def _hash_of(record: Record) -> str:
    try:
        return chain.hash_of({name: record[name] for name in chain.FIELDS})
    except CanonicalError:
        return ""


def _praise(walk: Walk, sealed: int) -> str:
    what = f"{walk.count} records" + (f" of {walk.project}" if walk.project else "")
    seal = f"; checkpoints seal it up to record {sealed}" if sealed else ""
    return f"The audit log is whole: {what}, head {walk.last}{seal}."
