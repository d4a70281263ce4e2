"""How an agent's attempt stands to its provider, for `_sync.html`."""

from __future__ import annotations

from typing import Any

from orchestration.models import ExecutionRun


def sync_of(one: ExecutionRun) -> dict[str, Any] | None:
    """None where nothing outside was or is to be asked."""
    if not one.provider or (one.sync_status == "in_sync" and one.last_reconciled_at is None):
        return None
    evidence = one.extension.get("at_provider") or {}
    return {
        "status": one.sync_status,
        "error": one.sync_error,
        "at": one.last_reconciled_at,
        "evidence": str(evidence.get("status", "")).replace("_", " "),
        "was_stopped": bool(evidence.get("was_stopped")),
        "text": str(evidence.get("text", "")),
    }
