"""Values as JSON has them: times in UTC with Z, amounts as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Data = dict[str, Any]


def moment(value: datetime | None) -> str | None:
    """RFC 3339."""
    return None if value is None else value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start).total_seconds(), 6)


def money(value: Decimal | float | None) -> float | None:
    """Unknown stays unknown."""
    return None if value is None else float(value)


def usage(found: Mapping[str, Any]) -> Data:
    """What an attempt or a step used; a step that is no agent used nothing."""
    return {
        "input_tokens": int(found.get("input_tokens") or 0),
        "output_tokens": int(found.get("output_tokens") or 0),
        "cost_usd": money(found.get("cost_usd")) if found else 0.0,
    }


def policy(found: Mapping[str, Any]) -> Data:
    """A verdict as it is stored with a step; what was never evaluated is shown as the strictest."""
    return {
        "verdict": found.get("verdict", "deny"),
        "risk": found.get("risk", "critical"),
        "reasons": [_reason(reason) for reason in found.get("reasons", ())],
        "approvers": list(found.get("approvers", ())),
        "rules_version": found.get("rules_version", ""),
    }


def reasons(found: Any) -> list[Data]:
    return [_reason(reason) for reason in found or ()]


def _reason(found: Mapping[str, Any]) -> Data:
    return {name: str(found.get(name, "")) for name in ("code", "message", "rule")}
