"""policy_check PROJECT --command LINE: what policy would say. Stores nothing."""

from typing import Any

from django.core.management import CommandParser

from orchestration import plan_rules
from orchestration.engine import planning
from orchestration.management.command import EngineCommand, actor_of, add_user_option
from orchestration.reading import finding, workflows


class Command(EngineCommand):
    help = (
        "Say what policy would decide on a command line in a project, and why. Exit code 0 whatever the verdict.\n\n"
        "Example: manage.py policy_check website --command 'git push origin main'"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("--command", dest="line", required=True, metavar="LINE", help="a bash command line")
        parser.add_argument("--cwd", default="", help="the folder it would run in, inside the workspace")
        parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        project = finding.find_project(actor_of(options), options["project"])
        step = {"type": "command", "name": "Check", "command": options["line"]}
        step |= {"cwd": options["cwd"]} if options["cwd"] else {}
        plan = plan_rules.validate_alone(
            {"name": "Policy check", "project": project.slug, "feature": "policy-check", "steps": [step]}
        )
        told = workflows.preview_data(plan, planning.preview(plan, project))["steps"][0]["policy"]
        if options["json"]:
            self.show(told)
            return
        self.stdout.write(f"{told['verdict']}, risk {told['risk']}")
        for reason in told["reasons"]:
            self.stdout.write(f"  {reason['message']} ({reason['rule']})")
