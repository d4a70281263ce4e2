"""Results of checks, as the footer, a packet and a report show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workbench.run_page.view import RunView

Data = dict[str, Any]
SHOWN = 300


def checks_of(view: RunView, rows: Iterable[Data]) -> list[Data]:
    """For `_checks.html`, with the step that made each."""
    found = [
        {**check_line(check), "step": {"name": view.name(row["key"]), "url": view.step_url(row["key"])}}
        for row in rows
        for check in row["checks"]
    ]
    return found[:SHOWN]


def check_line(check: Data) -> Data:
    state = "passed" if check["passed"] else "failed" if check.get("required", True) else "optional"
    return {"name": check["name"], "kind": check["kind"], "state": state, "message": check.get("message", "")}
