"""Holds a log against what was kept outside its database: heads that somebody wrote down, and signed checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from policy.audit.checkpoints import Checkpoint
from policy.audit.reading import Broken, Head, Record


@dataclass(frozen=True)
class Evidence:
    checkpoints: Sequence[Checkpoint] = ()
    kept: Sequence[Head] = ()
    max_gap: timedelta | None = None


class Witness:
    """Watches the records go by. `first_open` is the first one since the last checkpoint."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.seals = {seal.sequence: seal for seal in evidence.checkpoints}
        self.kept = {head.sequence: head.hash for head in evidence.kept}
        self.sealed = 0
        self.first_open: Record | None = None

    def see(self, record: Record) -> None:
        sequence = record["sequence"]
        if self.kept.get(sequence, record["hash"]) != record["hash"]:
            raise Broken(sequence, f"Record {sequence} is not the one whose head was kept: the log was rewritten.")
        self.first_open = self.first_open or record
        if seal := self.seals.get(sequence):
            self._check_seal(seal, record)
            self.sealed, self.first_open = sequence, None

    def finish(self, last: Head) -> None:
        for sequence in [*self.kept, *self.seals]:
            if sequence > last.sequence:
                raise Broken(
                    last.sequence + 1,
                    f"Record {last.sequence + 1} is missing: the log once reached {sequence}. "
                    "Its tail was cut off, or an old backup put back.",
                )
        self._check_gap(timezone.now())

    def _check_seal(self, seal: Checkpoint, record: Record) -> None:
        if seal.hash != record["hash"]:
            raise Broken(
                self.sealed + 1,
                f"Record {self.sealed + 1} or a later one up to {seal.sequence} was rewritten: "
                f"checkpoint {seal.number} sealed another log.",
            )
        self._check_gap(seal.at)

    def _check_gap(self, until: datetime) -> None:
        if self.evidence.max_gap is None or self.first_open is None:
            return
        written = datetime.fromisoformat(self.first_open["at"])
        if until - written > self.evidence.max_gap:
            sequence = self.first_open["sequence"]
            raise Broken(sequence, f"Record {sequence} waited too long for a checkpoint: one is missing.")
