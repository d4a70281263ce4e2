"""How the two databases are opened, and whether they really came up that way.

Settings build the connection here; the start reads the effective values back on a live connection, because a
database that quietly runs without `synchronous` or `fsync` loses what was acknowledged.
"""

from pathlib import Path
from typing import Any

import dj_database_url
from django.db.backends.base.base import BaseDatabaseWrapper

from ccdash.data_folder import DATABASE_FILE
from ccdash.env import BadSetting

SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: a commit that was answered survives a power cut
    "foreign_keys": 1,
    "recursive_triggers": 1,  # else INSERT OR REPLACE walks past the append-only triggers
    "busy_timeout": 5000,
}
POSTGRESQL_TIMEOUTS = {
    "lock_timeout": "5s",
    "statement_timeout": "15s",
    "idle_in_transaction_session_timeout": "30s",
}
POSTGRESQL_DURABILITY = {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}


def describe(address: str, *, data_dir: Path, workers: int) -> dict[str, Any]:
    """Django's description of the database at this address (none: a SQLite file in the data folder)."""
    if not address:
        return _sqlite(str(data_dir / DATABASE_FILE))
    try:
        parsed = dict(dj_database_url.parse(address))
    except ValueError:
        raise BadSetting("DATABASE_URL is no complete address: quote special characters in its parts as %XX.") from None
    if not parsed["NAME"] or parsed["NAME"] == ":memory:":
        raise BadSetting("DATABASE_URL names no database: add its name after the last slash.")
    return _sqlite(str(parsed["NAME"])) if str(parsed["ENGINE"]).endswith("sqlite3") else _postgresql(parsed, workers)


def knock(connection: BaseDatabaseWrapper) -> None:
    """Connect once past the pool, which would try for long and then not say why it failed."""
    with connection.wrap_database_errors:
        connection.Database.connect(**connection.get_connection_params()).close()  # type: ignore[attr-defined]


def unexpected_values(connection: BaseDatabaseWrapper) -> list[str]:
    """One phrase for each effective value that breaks a promise; empty where all is well."""
    wanted = SQLITE_PRAGMAS if connection.vendor == "sqlite" else POSTGRESQL_TIMEOUTS | POSTGRESQL_DURABILITY
    return [
        f"{name} is {effective}, not {value}"
        for name, value in wanted.items()
        if (effective := _effective(connection, name)) != value
    ]


def for_channels(described: dict[str, Any]) -> dict[str, Any]:
    """The same database as channels-postgres wants it: complete, and with what libpq itself understands alone."""
    options = {name: value for name, value in described["OPTIONS"].items() if name not in ("pool", "prepare_threshold")}
    return {**described, "OPTIONS": options, "TIME_ZONE": None}


def _effective(connection: BaseDatabaseWrapper, name: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}" if connection.vendor == "sqlite" else f"SHOW {name}")
        return cursor.fetchone()[0]


def _sqlite(name: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": name,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 5,
            "init_command": ";".join(f"PRAGMA {pragma}={value}" for pragma, value in SQLITE_PRAGMAS.items()),
        },
    }


def _postgresql(parsed: dict[str, Any], workers: int) -> dict[str, Any]:
    """Every request runs on a thread of its own, so connections live in a pool and not in threads."""
    options = dict(parsed.get("OPTIONS", {}))
    durable = {**POSTGRESQL_TIMEOUTS, "synchronous_commit": "on"}
    switches = " ".join(f"-c {name}={value}" for name, value in durable.items())
    options["options"] = f"{options.get('options', '')} {switches}".strip()
    options["pool"] = {"min_size": 2, "max_size": workers + 16, "timeout": 10}
    options.setdefault("connect_timeout", 10)
    # For the engine's own statements; those of Django's cursors are never prepared.
    options.setdefault("prepare_threshold", 5)
    return {**parsed, "OPTIONS": options, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
