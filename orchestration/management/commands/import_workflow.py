"""import_workflow FILE: a plan from a file, as a new workflow or the next version of one."""

import sys
from pathlib import Path
from typing import Any

from django.core.management import CommandError, CommandParser

from orchestration import plan_rules, plan_text
from orchestration.engine import planning
from orchestration.management.command import EngineCommand, actor_of, add_user_option
from orchestration.models import Workflow, WorkflowVersion
from orchestration.reading import finding
from orchestration.schema import InvalidPlan, Plan


class Command(EngineCommand):
    help = (
        "Store a plan (YAML or JSON; - reads standard input) as a workflow, and print its id. Faults of the plan are "
        "listed with their places.\n\n"
        "Example: manage.py import_workflow plan.yaml --user anna"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the plan, or - for standard input")
        parser.add_argument("--workflow", default="", metavar="ID", help="store it as the next version of this one")
        add_user_option(parser, required=True)
        parser.add_argument("--json", action="store_true", help="print what was stored as JSON")

    def run(self, options: dict[str, Any]) -> None:
        by, plan = actor_of(options), self._plan(_text(options["file"]))
        if options["workflow"]:
            workflow = finding.find_workflow(by, options["workflow"])
            version = planning.save_version(workflow, plan, by=by)
        else:
            workflow = planning.create_workflow(plan, by=by)
            version = planning.latest_version(workflow)
        if options["json"]:
            self.show(_told(workflow, version, len(plan.steps)))
        else:
            self.stdout.write(f"Stored {plan.name!r}, version {version.number}, {len(plan.steps)} steps.")
            self.stdout.write(str(workflow.pk))

    def _plan(self, text: bytes) -> Plan:
        try:
            return plan_rules.validate_plan(plan_text.read_plan(text))
        except InvalidPlan as fault:
            for error in fault.errors[1:]:
                self.stderr.write(f"{error['path']}: {error['message']}")
            raise


def _told(workflow: Workflow, version: WorkflowVersion, steps: int) -> dict[str, Any]:
    return {"id": str(workflow.pk), "version": version.number, "digest": version.digest, "steps": steps}


def _text(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name} can't be read: {error.strerror}.") from None
