"""What happened in a run and what its steps said, from a number on."""

from __future__ import annotations

from typing import Any

from orchestration import logs
from orchestration.models import Event, ExecutionRun, WorkflowRun
from orchestration.reading import finding
from orchestration.reading.plain import Data, moment

EVENT_COLUMNS = ("sequence_no", "type", "step_key", "at", "actor", "data", "audit_sequence")


def events_after(run: WorkflowRun, after: int, limit: int) -> Data:
    """`next_after` is where the history goes on, now or later."""
    rows = Event.objects.filter(run=run, sequence_no__gt=after).order_by("sequence_no").values(*EVENT_COLUMNS)
    found = [event_data(row) for row in rows[:limit]]
    return {"items": found, "next_after": found[-1]["sequence_no"] if found else after}


def event_data(row: dict[str, Any]) -> Data:
    return {**row, "step_key": row["step_key"] or None, "at": moment(row["at"])}


def log_after(run: WorkflowRun, step_key: str, *, stream: str, after: int, limit: int) -> Data:
    """Raises NotFound. `next_after` is where the output goes on, now or later."""
    step = finding.find_step(run, step_key)
    attempts = ExecutionRun.objects.filter(step_run=step).values_list("pk", flat=True)
    chunks = logs.read(list(attempts), stream=stream, after=after, limit=limit)
    items = [
        {
            "attempt": chunk["attempt__number"],
            "offset": chunk["offset"],
            "stream": chunk["stream"],
            "text": chunk["text"],
            "at": moment(chunk["at"]),
        }
        for chunk in chunks
    ]
    return {"items": items, "next_after": chunks[-1]["id"] if chunks else after}
