"""pause_run RUN: nothing new starts."""

from typing import Any

from orchestration.engine import controlling
from orchestration.management.command import RunVerb
from orchestration.models import WorkflowRun
from policy.actors import Actor


class Command(RunVerb):
    help = (
        "Pause a run: nothing new starts, what is in flight finishes.\n\n"
        "Example: manage.py pause_run website#12 --user anna --reason 'Wait for the release.'"
    )
    done = "Paused."

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        controlling.pause_run(run.pk, reason=options["reason"], by=by)
