"""What an action would do to a run, worked out under its lock by the code that would do it. Writes nothing."""

from __future__ import annotations

from orchestration.engine import door, impact, locks
from orchestration.models import WorkflowRun
from orchestration.reading.plain import Data
from policy.actors import Actor


def impact_of(run: WorkflowRun, action: str, step_key: str, *, by: Actor) -> Data:
    """The impact sheet. Raises InvalidInput, NotFound."""
    with locks.run_transaction(run.pk):
        return impact.sheet(door.begin(run.pk, by), action, step_key)
