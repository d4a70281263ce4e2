"""One thing that is not as it must be."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Breach:
    invariant: int
    message: str
    run: uuid.UUID | None = None
    step: str = ""
    severity: str = ERROR

    def as_data(self) -> dict[str, Any]:
        names = {"run": str(self.run) if self.run else None, "step": self.step or None}
        return {"invariant": self.invariant, "severity": self.severity, **names, "message": self.message}
