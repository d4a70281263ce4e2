"""show_run RUN: its state and its steps."""

from typing import Any

from django.core.management import CommandParser

from orchestration.management.command import (
    RUN_HELP,
    EngineCommand,
    actor_of,
    add_user_option,
    find_run,
    name_of,
    state_of,
)
from orchestration.reading import runs


class Command(EngineCommand):
    help = "Show a run: state, what it allows now, and every step.\n\nExample: manage.py show_run website#12"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", metavar="RUN", help=RUN_HELP)
        parser.add_argument("--json", action="store_true", help="print the run as the API answers it")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        by = actor_of(options)
        told = runs.run_detail(by, str(find_run(by, options["run"]).pk))
        if options["json"]:
            self.show(told)
            return
        self.stdout.write(f"{name_of(told)} {told['workflow']['name']}: {state_of(told)}")
        self.stdout.write(f"  id {told['id']}, launched by {told['created_by']} at {told['created_at']}")
        for step in told["steps"]:
            self.stdout.write(f"  {_step(step)}")
        if told["allowed_actions"]:
            self.stdout.write(f"  allows: {', '.join(told['allowed_actions'])}")


def _step(step: dict[str, Any]) -> str:
    took = f", {step['duration_seconds']:.1f} s" if step["duration_seconds"] is not None else ""
    error = f": {step['error']}" if step["error"] else ""
    return f"{step['index'] + 1:>4} {step['key']:<24} {state_of(step)}, attempt {step['attempt']}{took}{error}"
