"""check_runs: proves what must be true of every run, in one read-only snapshot."""

import json
from typing import Any

from django.core.management import CommandParser

from orchestration import invariants
from orchestration.invariants.breach import ERROR
from orchestration.management.command import RUN_HELP, EngineCommand, find_run, project
from policy.actors import Actor

CLEAN, WARNINGS, BREACHES = 0, 1, 2


class Command(EngineCommand):
    help = (
        "Check what must be true of every run: states, history, attempts, approvals, audit, artifacts, logs. A JSON "
        "line for each breach. Exit code 0: clean, 1: warnings, 2: breaches. Changes nothing.\n\n"
        "Examples: manage.py check_runs\n"
        "          manage.py check_runs --run website#12"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--run", metavar="RUN", help=RUN_HELP)
        parser.add_argument("--project", metavar="PROJECT", help="only runs of this project")

    def run(self, options: dict[str, Any]) -> None:
        scope = invariants.Scope()
        if options["run"]:
            scope.run_id = find_run(Actor.for_shell(), options["run"]).pk
        if options["project"]:
            scope.project = project(options["project"]).slug
        severities = dict.fromkeys((ERROR, "warning"), 0)
        with invariants.read_snapshot():
            for breach in invariants.check(scope):
                severities[breach.severity] += 1
                self.stdout.write(json.dumps(breach.as_data(), ensure_ascii=False))
        self.stderr.write(_summary(scope, severities))
        if severities[ERROR] or severities["warning"]:
            raise SystemExit(BREACHES if severities[ERROR] else WARNINGS)


def _summary(scope: invariants.Scope, found: dict[str, int]) -> str:
    looked = f"Looked at {scope.runs} runs and {scope.events} events"
    if not any(found.values()):
        return f"{looked}: clean."
    return f"{looked}: {found[ERROR]} breaches, {found['warning']} warnings."
