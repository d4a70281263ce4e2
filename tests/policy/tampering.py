"""What a database's owner can do to the log: lift the guards, change rows, and hash them anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from policy import audit
from policy.actors import Actor
from policy.audit import chain, checkpoints, reading

TABLES = ("policy_auditrecord", "policy_audithead", "policy_decision")


def fill(count: int, project: str = "shop") -> None:
    with transaction.atomic():
        for number in range(count):
            audit.append(
                "run.launched",
                actor=Actor.system("worker"),
                project=project,
                subject=f"run:{number}",
                before={"state": "queued"},
                after={"state": "running", "tags": ["a", {"b": None}], "count": number},
                reason="Because.",
            )


def seal_twice() -> Path:
    """Ten records, checkpoints after five and after ten. Answers where the checkpoints are."""
    for _ in range(2):
        fill(5)
        audit.write_checkpoint()
    return checkpoints.folder()


@contextmanager
def unguarded() -> Iterator[None]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
            lift = [f"DROP TRIGGER {name}" for name, _ in triggers]
            restore = [sql for _, sql in triggers]
        else:
            lift = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in TABLES]
            restore = [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in TABLES]
        for statement in lift:
            cursor.execute(statement)
        yield
        for statement in restore:
            cursor.execute(statement)


def execute(statement: str, *values: Any) -> None:
    with unguarded(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def rows() -> list[dict[str, Any]]:
    return [dict(record) for record in reading.stored_records()]


def rehash(first: int, last: int | None = None, *, head: bool = False) -> None:
    """Hash these records anew, each on the one before it, and let the head follow if asked to."""
    stored = {row["sequence"]: row for row in rows()}
    for sequence in range(first, (last or max(stored)) + 1):
        row = stored[sequence]
        row["previous_hash"] = stored[sequence - 1]["hash"] if sequence > 1 else chain.GENESIS
        row["hash"] = chain.hash_of({name: row[name] for name in chain.FIELDS})
        execute(
            "UPDATE policy_auditrecord SET previous_hash = %s, hash = %s WHERE sequence = %s",
            row["previous_hash"],
            row["hash"],
            sequence,
        )
    if head:
        set_head(max(stored), stored[max(stored)]["hash"])


def set_head(sequence: int, value: str | None = None) -> None:
    value = value or next(row["hash"] for row in rows() if row["sequence"] == sequence)
    execute("UPDATE policy_audithead SET sequence = %s, hash = %s", sequence, value)


def copy(source: int, target: int) -> None:
    names = ", ".join(f'"{name}"' for name in reading.COLUMNS if name != "sequence")
    execute(
        f"INSERT INTO policy_auditrecord (sequence, {names}) "
        f"SELECT %s, {names} FROM policy_auditrecord WHERE sequence = %s",
        target,
        source,
    )


def move(source: int, target: int) -> None:
    execute("UPDATE policy_auditrecord SET sequence = %s WHERE sequence = %s", target, source)
