"""revoke_approval RUN STEP: take an approval back."""

from typing import Any

from orchestration.engine import revoking
from orchestration.management.command import RunVerb
from orchestration.models import WorkflowRun
from policy.actors import Actor


class Command(RunVerb):
    help = (
        "Take an approval back before its step starts, as an approver of the project. The step is asked about "
        "again.\n\n"
        "Example: manage.py revoke_approval website#12 deploy --user grace --reason 'The window is closed.'"
    )
    takes_step = True
    done = "Took back the approval of step {step}."

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        revoking.revoke_approval(run.pk, options["step"], reason=options["reason"], by=by)
