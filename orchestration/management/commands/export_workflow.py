"""export_workflow ID: a stored plan as a file that import_workflow takes."""

from typing import Any

from django.core.management import CommandParser

from orchestration import plan_text
from orchestration.management.command import EngineCommand, actor_of, add_user_option
from orchestration.reading import finding


class Command(EngineCommand):
    help = (
        "Print a workflow's plan as YAML, its newest version or the one named.\n\n"
        "Example: manage.py export_workflow 6f1c0c52-6f0e-4b7e-9d52-7f6f5a0b7b3e --plan-version 2 > plan.yaml"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("workflow", metavar="ID", help="the workflow's id")
        # Django's own --version has the plain name.
        parser.add_argument("--plan-version", type=int, metavar="N", help="this version; the newest where left out")
        parser.add_argument("--json", action="store_true", help="print JSON instead of YAML")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        workflow = finding.find_workflow(actor_of(options), options["workflow"])
        plan = finding.find_version(workflow, options["plan_version"]).plan
        if options["json"]:
            self.show(plan)
        else:
            self.stdout.write(plan_text.write_yaml(plan).rstrip("\n"))
