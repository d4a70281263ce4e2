"""What a record's hash covers: every field, in one canonical form that both databases give back unchanged. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from policy.canonical import digest

DOMAIN = "ccdash-audit-v1"
GENESIS = "0" * 64
LONGEST_TEXT = 10_000

# All columns but the hash itself, in the order of the table
FIELDS = (
    "sequence",
    "at",
    "actor",
    "actor_id",
    "actor_kind",
    "credential",
    "action",
    "outcome",
    "project",
    "run",
    "step",
    "subject",
    "before",
    "after",
    "reason",
    "payload_digest",
    "previous_hash",
)


def hash_of(record: Mapping[str, Any]) -> str:
    """`record` holds exactly FIELDS, with `at` as `moment` writes it."""
    return digest(DOMAIN, record)


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def plain(value: Any) -> Any:
    """JSON without floats: PostgreSQL rewrites some of them, and a record must read back as it was hashed."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, Mapping):
        return {text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(text(str(item)) for item in value)
    return text(moment(value) if isinstance(value, datetime) and value.tzinfo else str(value))


def text(value: str, longest: int = LONGEST_TEXT) -> str:
    """What no database stores (NUL, half a surrogate pair) is shown as a replacement mark; too long is cut visibly."""
    whole = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"
