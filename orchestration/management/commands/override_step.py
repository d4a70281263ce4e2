"""override_step RUN STEP: ask that a denied step runs all the same."""

from typing import Any

from orchestration.engine import overriding
from orchestration.management.command import RunVerb
from orchestration.models import WorkflowRun
from policy.actors import Actor


class Command(RunVerb):
    help = (
        "Ask that a step which the rules deny runs all the same. Somebody else has to agree at the elevated level "
        "within an hour; then it runs once. Both reasons are kept.\n\n"
        "Example: manage.py override_step website#12 deploy --user anna --reason 'The outage needs it; see ticket-7.'"
    )
    takes_step = True
    done = "Asked to run step {step} against the rules."

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        overriding.override_step(run.pk, options["step"], reason=options["reason"], by=by)
