"""resolve_step RUN STEP OUTCOME: say how an interrupted step ended."""

from typing import Any

from django.core.management import CommandParser

from orchestration.engine import controlling
from orchestration.management.command import RunVerb, add_outputs, pairs
from orchestration.models import WorkflowRun
from policy.actors import Actor


class Command(RunVerb):
    help = (
        "Say how an interrupted step ended, after a look at what it did.\n\n"
        "Example: manage.py resolve_step website#12 deploy succeeded --user grace --reason 'It is live.'"
    )
    takes_step = True
    done = "Step {step} is resolved: {outcome}."

    def add_more(self, parser: CommandParser) -> None:
        parser.add_argument("outcome", metavar="OUTCOME", choices=["succeeded", "failed"], help="succeeded or failed")
        add_outputs(parser)

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        controlling.resolve_step(
            run.pk,
            options["step"],
            outcome=options["outcome"],
            reason=options["reason"],
            by=by,
            evidence=options["evidence"],
            outputs=pairs(options["output"], "--output"),
        )
