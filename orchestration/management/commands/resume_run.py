"""resume_run RUN: go on from the last checkpoint."""

from typing import Any

from django.core.management import CommandParser

from orchestration.engine import controlling
from orchestration.management.command import RunVerb
from orchestration.models import WorkflowRun
from policy.actors import Actor


class Command(RunVerb):
    help = (
        "Resume a run that is paused, or do its interrupted steps again.\n\n"
        "Example: manage.py resume_run website#12 --user anna --reason 'The release is out.'"
    )
    done = "Resumed."

    def add_more(self, parser: CommandParser) -> None:
        parser.add_argument("--step", default="", help="of interrupted steps do only this one again")

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        controlling.resume_run(run.pk, reason=options["reason"], by=by, step_key=options["step"])
