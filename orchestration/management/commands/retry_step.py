"""retry_step RUN STEP: do it again."""

from typing import Any

from django.core.management import CommandParser

from orchestration.engine import controlling
from orchestration.management.command import RunVerb
from orchestration.models import WorkflowRun
from policy.actors import Actor


class Command(RunVerb):
    help = (
        "Do a failed, interrupted or waiting step again. Its gates are formed afresh.\n\n"
        "Example: manage.py retry_step website#12 build --user anna --reason 'The network is back.'"
    )
    takes_step = True
    done = "Step {step} is done again."

    def add_more(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--restore-workspace",
            action="store_true",
            help="bring the files back first: to before its last attempt, or to what the run's last step left",
        )

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        controlling.retry_step(
            run.pk, options["step"], reason=options["reason"], by=by, restore_workspace=options["restore_workspace"]
        )
