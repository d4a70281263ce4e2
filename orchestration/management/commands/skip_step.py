"""skip_step RUN STEP: leave it out."""

from typing import Any

from django.core.management import CommandParser

from orchestration.engine import controlling
from orchestration.management.command import RunVerb, add_outputs, pairs
from orchestration.models import WorkflowRun
from policy.actors import Actor


class Command(RunVerb):
    help = (
        "Leave a step out, or say that it was done otherwise. Of a checkpoint or a "
        "risky step the skip itself asks for an elevated approval.\n\n"
        "Example: manage.py skip_step website#12 deploy --user anna --reason 'Done by hand.' --evidence ticket-7"
    )
    takes_step = True
    done = "Asked to skip step {step}."

    def add_more(self, parser: CommandParser) -> None:
        add_outputs(parser)

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        controlling.skip_step(
            run.pk,
            options["step"],
            reason=options["reason"],
            by=by,
            evidence=options["evidence"],
            outputs=pairs(options["output"], "--output"),
        )
