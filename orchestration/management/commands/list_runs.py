"""list_runs: newest first."""

from typing import Any

from django.core.management import CommandError, CommandParser

from orchestration.management.command import EngineCommand, actor_of, add_user_option, name_of, state_of
from orchestration.models.run import RunState
from orchestration.reading import finding, runs


class Command(EngineCommand):
    help = (
        "List runs, newest first: name, state, feature, workflow, id.\n\n"
        "Example: manage.py list_runs --project website --state blocked"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", metavar="PROJECT", help="only runs of this project")
        parser.add_argument("--feature", metavar="FEATURE", help="only runs of this feature")
        parser.add_argument("--state", choices=RunState.values, help="only runs in this state")
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")
        parser.add_argument("--json", action="store_true", help="print a JSON list")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit must be at least 1.", returncode=2)
        by = actor_of(options)
        if options["project"]:
            finding.find_project(by, options["project"])
        found = finding.within(finding.visible_runs(by), options["project"], options["feature"])
        found = found.filter(state=options["state"]) if options["state"] else found
        told = runs.run_summaries(list(found.order_by("-created_at", "-pk")[: options["limit"]]))
        if options["json"]:
            self.show(told)
            return
        for run in told:
            self.stdout.write(_line(run))
        if not told:
            self.stdout.write("No runs.")


def _line(run: dict[str, Any]) -> str:
    return f"{name_of(run):<24} {state_of(run):<28} {run['feature']:<24} {run['id']}  {run['workflow']['name']}"
