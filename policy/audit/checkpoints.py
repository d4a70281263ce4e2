"""Signed statements of how far the log had come, each a file that is written once.

A checkpoint names the head, the one before it and its time, in a DSSE envelope signed with a key outside the
database. Copy the folder to a place that the database's owner can't change; `verify_audit --checkpoints` reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from policy.audit import chain, copies, keys, reading
from policy.audit.reading import Broken, Head
from policy.canonical import canonical_json
from policy.errors import AuditError
from policy.key_files import write_once
from policy.models import AuditRecord

PAYLOAD_TYPE = "application/vnd.ccdash.audit-checkpoint+json"
FOLDER = "audit-checkpoints"
EVERY_RECORDS = 1000
EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class Checkpoint:
    number: int  # 1, 2, 3, ... without a gap
    sequence: int
    hash: str
    at: datetime
    previous: str  # SHA-256 of the payload before; the genesis hash at the first
    installation: str  # the id of the key that signs
    digest: str  # SHA-256 of this payload

    @property
    def head(self) -> Head:
        return Head(self.sequence, self.hash)


def folder() -> Path:
    return Path(settings.DATA_DIR) / FOLDER


def files() -> list[Path]:
    """Every checkpoint that was written here, the oldest first."""
    return sorted(folder().glob("*.json"))


def write_checkpoint(now: datetime | None = None) -> Path | None:
    """Seal the log as it stands. None: nothing new since the last one. Refuses to seal a log that was set back."""
    sealed = _seal(now or timezone.now())
    copies.catch_up(folder())
    return sealed


def write_checkpoint_if_due(now: datetime | None = None) -> Path | None:
    """Every thousand records, or when a record has waited an hour. Cheap to call from a loop.

    What is due is sealed first: a second folder that can't be written is said to be, and holds up no seal.
    """
    now = now or timezone.now()
    sealed = _seal(now) if _is_due(now) else None
    copies.catch_up(folder())
    return sealed


def _seal(now: datetime) -> Path | None:
    last = _last()
    head = reading.stored_head()
    if last is not None:
        _refuse_another_past(last, head)
    if head.sequence == (last.sequence if last else 0):
        return None
    return _write(head, last, now)


def _is_due(now: datetime) -> bool:
    last = _last()
    sealed = last.sequence if last else 0
    head = reading.stored_head()
    if head.sequence == sealed:
        return False
    oldest = AuditRecord.objects.filter(sequence__gt=sealed).order_by("sequence").values_list("at", flat=True).first()
    waited = oldest is not None and now - oldest >= EVERY
    return waited or head.sequence - sealed >= EVERY_RECORDS


def load_checkpoints(source: Path, public_key: Path | None = None) -> list[Checkpoint]:
    """All of a folder, in order, each with a good signature of the one known key, none missing in between."""
    kept = sorted(source.glob("*.json"))
    if not kept:
        raise Broken(None, f"There are no checkpoints in {source}.")
    key = keys.public_key(public_key or _public_key_beside(source))
    found = {checkpoint.digest: checkpoint for checkpoint in (_read(file, key) for file in kept)}
    ordered = sorted(found.values(), key=lambda one: (one.number, one.sequence))
    _check_row(ordered)
    return ordered


def _public_key_beside(source: Path) -> Path:
    beside = source / f"{keys.OWN_FILE}.pub"
    return beside if beside.exists() else keys.public_key_file()


def _write(head: Head, last: Checkpoint | None, now: datetime) -> Path | None:
    from securesystemslib.dsse import Envelope

    signer = keys.signer()
    number = last.number + 1 if last else 1
    payload = canonical_json(
        {
            "number": number,
            "sequence": head.sequence,
            "hash": head.hash,
            "at": chain.moment(now),
            "previous": last.digest if last else chain.GENESIS,
            "installation": signer.public_key.keyid,
        }
    )
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    folder().mkdir(mode=0o700, exist_ok=True)
    file = folder() / f"{number:08}.json"
    return file if write_once(file, json.dumps(envelope.to_dict(), indent=1).encode(), mode=0o444) else None


def _last() -> Checkpoint | None:
    """Our own newest one, by its name; its signature was ours when we wrote it and is checked by verifiers."""
    written = files()
    try:
        return _read(written[-1], None) if written else None
    except Broken as broken:
        raise AuditError(f"The log can't be sealed. {broken}") from None


def _read(file: Path, key: Any) -> Checkpoint:
    from securesystemslib.dsse import Envelope

    try:
        envelope = Envelope.from_dict(json.loads(file.read_bytes()))
        if key is not None:
            _check_signature(envelope, key, file)
        return _parsed(envelope.payload)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Broken(None, f"Checkpoint {file.name} can't be read: {type(error).__name__}.") from None


def _check_signature(envelope: Any, key: Any, file: Path) -> None:
    from securesystemslib.exceptions import VerificationError

    if key.keyid not in envelope.signatures:
        raise Broken(None, f"Checkpoint {file.name} is signed by an unknown key.")
    try:
        envelope.verify([key], 1)
    except VerificationError:
        raise Broken(None, f"Checkpoint {file.name} has a bad signature.") from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Broken(None, f"Checkpoint {file.name} is a signed statement about something else.")


def _parsed(payload: bytes) -> Checkpoint:
    fields = json.loads(payload)
    fields["at"] = datetime.fromisoformat(fields["at"])
    return Checkpoint(**fields, digest=hashlib.sha256(payload).hexdigest())


def _check_row(ordered: Sequence[Checkpoint]) -> None:
    previous: Checkpoint | None = None
    for checkpoint in ordered:
        _check_follows(checkpoint, previous)
        previous = checkpoint


def _check_follows(checkpoint: Checkpoint, previous: Checkpoint | None) -> None:
    number = previous.number + 1 if previous else 1
    if previous and (checkpoint.number == previous.number or checkpoint.sequence == previous.sequence):
        raise Broken(
            checkpoint.sequence, f"Two checkpoints disagree on record {checkpoint.sequence}: two logs were shown."
        )
    if checkpoint.number != number:
        raise Broken(None, f"Checkpoint {number} is missing: {checkpoint.number} comes after {number - 1}.")
    if checkpoint.previous != (previous.digest if previous else chain.GENESIS):
        raise Broken(None, f"Checkpoint {checkpoint.number} does not follow on checkpoint {number - 1}.")
    if previous and (checkpoint.sequence < previous.sequence or checkpoint.at < previous.at):
        raise Broken(None, f"Checkpoint {checkpoint.number} goes back behind checkpoint {previous.number}.")


def _refuse_another_past(last: Checkpoint, head: Head) -> None:
    sealed = AuditRecord.objects.filter(sequence=last.sequence).values_list("hash", flat=True).first()
    if head.sequence < last.sequence or sealed != last.hash:
        raise AuditError(
            f"The log no longer holds record {last.sequence} as checkpoint {last.number} sealed it. Run verify_audit."
        )
