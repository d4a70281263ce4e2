"""Appends to the log: three statements, however many records.

Called inside the transaction of the change, after all other locks: the head row is the last one taken, and every
writer waits there for the one before, so that numbers have no gap and hashes no fork.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from policy.actors import Actor
from policy.audit import chain
from policy.errors import AuditError
from policy.models import AuditRecord

COLUMNS = (*chain.FIELDS, "hash")
ROW = f"({', '.join(['%s'] * len(COLUMNS))})"
ROWS_AT_ONCE = 500
LONGEST: dict[str, int] = {
    name: AuditRecord._meta.get_field(name).max_length  # type: ignore[union-attr,misc]
    for name in ("actor", "actor_id", "credential", "action", "project", "run", "step", "subject", "payload_digest")
}


@dataclass(frozen=True)
class AuditEntry:
    action: str
    actor: Actor
    project: str = ""
    run: str = ""
    step: str = ""
    subject: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    outcome: str = "done"
    payload_digest: str = ""
    at: datetime | None = None


def append(action: str, *, actor: Actor, **details: Any) -> AuditRecord:
    """Record one fact; takes what an AuditEntry takes. Call inside the transaction of the change it tells of."""
    return append_many([AuditEntry(action, actor, **details)])[0]


def append_many(entries: Sequence[AuditEntry]) -> list[AuditRecord]:
    if not connection.in_atomic_block:
        raise AuditError("An audit record must be written in the transaction of the change it tells of.")
    if not entries:
        return []
    with connection.cursor() as cursor:
        sequence, previous = _lock_head(cursor)
        rows = _chained(entries, sequence, previous)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            _insert(cursor, rows[start : start + ROWS_AT_ONCE])
        _move_head(cursor, sequence, rows[-1])
    return [AuditRecord(**row) for row in rows]


def _lock_head(cursor: CursorWrapper) -> tuple[int, str]:
    # SQLite has one writer: an immediate transaction holds the lock already.
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    cursor.execute(f"SELECT sequence, hash FROM policy_audithead WHERE id = 1{lock}")  # noqa: S608
    head = cursor.fetchone()
    return (int(head[0]), str(head[1])) if head else _begin(cursor)


def _begin(cursor: CursorWrapper) -> tuple[int, str]:
    """An empty log may begin anew; records without a head are a log that somebody has tampered with."""
    cursor.execute("SELECT 1 FROM policy_auditrecord LIMIT 1")
    if cursor.fetchone():
        raise AuditError("The head of the audit log is missing, so nothing may change. Run verify_audit.")
    cursor.execute("INSERT INTO policy_audithead (id, sequence, hash) VALUES (1, 0, %s)", [chain.GENESIS])
    return 0, chain.GENESIS


def _chained(entries: Sequence[AuditEntry], sequence: int, previous: str) -> list[dict[str, Any]]:
    rows = []
    for entry in entries:
        sequence += 1
        row = _row(entry, sequence, previous)
        previous = row["hash"] = chain.hash_of({**row, "at": chain.moment(row["at"])})
        rows.append(row)
    return rows


def _row(entry: AuditEntry, sequence: int, previous: str) -> dict[str, Any]:
    texts = {
        "actor": entry.actor.name,
        "actor_id": entry.actor.id,
        "credential": entry.actor.credential,
        "action": entry.action,
        "project": entry.project,
        "run": entry.run,
        "step": entry.step,
        "subject": entry.subject,
        "payload_digest": entry.payload_digest,
    }
    return {
        "sequence": sequence,
        "at": entry.at or timezone.now(),
        **{name: chain.text(str(value), LONGEST[name]) for name, value in texts.items()},
        "actor_kind": str(entry.actor.kind),
        "outcome": entry.outcome,
        "before": chain.plain(entry.before),
        "after": chain.plain(entry.after),
        "reason": chain.text(entry.reason),
        "previous_hash": previous,
    }


def _insert(cursor: CursorWrapper, rows: Sequence[Mapping[str, Any]]) -> None:
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    values = ", ".join([ROW] * len(rows))
    stored = [_stored(row[name]) for row in rows for name in COLUMNS]
    cursor.execute(f"INSERT INTO policy_auditrecord ({names}) VALUES {values}", stored)  # noqa: S608


def _stored(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value)
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _move_head(cursor: CursorWrapper, sequence: int, last: Mapping[str, Any]) -> None:
    cursor.execute(
        "UPDATE policy_audithead SET sequence = %s, hash = %s WHERE id = 1 AND sequence = %s",
        [last["sequence"], last["hash"], sequence],
    )
    if cursor.rowcount != 1:
        raise AuditError("The audit log moved under this change; nothing was changed.")
