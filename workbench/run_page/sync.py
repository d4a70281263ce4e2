"""How an agent's attempt stands to its provider, for `_sync.html`."""

from __future__ import annotations

from typing import Any

from orchestration.engine import reconciling
from orchestration.models import ExecutionRun
from workbench.run_page.view import RunView


def sync_of(view: RunView, one: ExecutionRun) -> dict[str, Any] | None:
    """None where nothing outside was or is to be asked."""
    is_owed = reconciling.is_owed(one)
    if not one.provider or not (is_owed or one.sync_status != "in_sync" or one.last_reconciled_at):
        return None
    evidence = one.extension.get("at_provider") or {}
    return {
        "status": one.sync_status,
        "error": one.sync_error,
        "at": one.last_reconciled_at,
        "evidence": str(evidence.get("status", "")).replace("_", " "),
        "was_stopped": bool(evidence.get("was_stopped")),
        "text": str(evidence.get("text", "")),
        "ask_url": view.part("run-reconciliation", **view.asked) if is_owed and view.may_launch else "",
    }
