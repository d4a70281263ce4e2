"""Where an agent's tool calls work: a spool folder for each, and words cleaned of secrets before they leave it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..base import Host, StepContext
from ..tools import Place, ToolFailure
from .host import HasDiff, HasRedaction
from .state import Call
from .watch import Watch

LEAST_SECRET = 8  # shorter values stand in too many innocent words


class Places:
    def __init__(self, context: StepContext, host: Host, watch: Watch) -> None:
        self._context = context
        self._host = host
        self._watch = watch

    def of(self, call: Call) -> Place:
        """A call that was started is taken up where it was started, also when another attempt does it."""
        spool = Path(call.spool) if call.spool else self._context.spool / "calls" / call.call_id
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Place(replace(self._context, token=call.token), self._host, spool, self._diff, lambda: self._watch.left)

    def clean(self, text: str) -> str:
        if isinstance(self._host, HasRedaction):
            return self._host.redact(text)
        for name, value in self._context.secrets.items():
            if len(value) >= LEAST_SECRET:
                text = text.replace(value, f"[redacted:{name}]")
        return text

    def _diff(self) -> str:
        if isinstance(self._host, HasDiff):
            return self._host.diff()
        raise ToolFailure("this workspace keeps no history, so there is no diff to show")
