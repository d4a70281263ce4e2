"""Writes the log as JSON lines that can be verified without this installation; the last line is the head."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import BinaryIO

from django.utils import timezone

from policy.audit import chain, reading
from policy.audit.reading import Head


def export_audit(target: Path) -> Head:
    """All records and the head, whole or not at all; an older export of that name is replaced."""
    draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            head = write_export(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return head


def write_export(file: BinaryIO) -> Head:
    """Records that are added meanwhile come in whole or stay out: the head is read first and ends the file."""
    head = reading.stored_head()
    for record in reading.stored_records():
        if record["sequence"] > head.sequence:
            break
        file.write(_line(dict(record)))
    exported_at = chain.moment(timezone.now())
    file.write(
        _line({"format": chain.DOMAIN, "head": {"sequence": head.sequence, "hash": head.hash}, "at": exported_at})
    )
    return head


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode() + b"\n"
