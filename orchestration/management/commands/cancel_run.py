"""cancel_run RUN: end it and the work that it has in flight."""

from typing import Any

from orchestration.engine import controlling
from orchestration.management.command import RunVerb
from orchestration.models import WorkflowRun
from policy.actors import Actor


class Command(RunVerb):
    help = (
        "Cancel a run: what waits is canceled now, what runs is ended first. Final.\n\n"
        "Example: manage.py cancel_run website#12 --user anna --reason 'Not needed any more.'"
    )
    done = "Asked to cancel."

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        controlling.cancel_run(run.pk, reason=options["reason"], by=by)
