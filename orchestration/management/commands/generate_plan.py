"""generate_plan PROJECT FEATURE: a draft plan as YAML on stdout. Stores nothing."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management import BaseCommand, CommandError

from orchestration import drafts, plan_text
from orchestration.management import people
from orchestration.models import Feature
from orchestration.planner import PlannerError
from orchestration.schema import InvalidPlan
from policy.errors import PolicyError


class Command(BaseCommand):
    help = (
        "Make a draft plan of a feature's implementation plan: an agent step for each phase, each followed by its "
        "validation, with approval checkpoints.\n\n"
        "Example: manage.py generate_plan website faster-search --provider anthropic > plan.yaml"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("feature", metavar="FEATURE", help="the feature's slug")
        parser.add_argument("--document", metavar="PATH", help="the document to use, relative to the project's folder")
        parser.add_argument("--provider", default="simulated", help="who does the agent steps (default: simulated)")
        parser.add_argument("--json", action="store_true", help="print JSON instead of YAML")
        people.add_user_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = people.project_of(options["project"])
        feature = Feature.objects.filter(project=project, slug=options["feature"]).first()
        if feature is None:
            raise CommandError(
                f"The project {project.slug} has no feature {options['feature']!r}; import or create it first."
            )
        try:
            plan = drafts.draft_plan(
                feature, by=people.actor_of(options), path=options["document"] or "", provider=options["provider"]
            )
        except (PlannerError, PolicyError, InvalidPlan) as error:
            raise CommandError(str(error)) from error
        text = json.dumps(plan, indent=2, ensure_ascii=False) if options["json"] else plan_text.write_yaml(plan)
        self.stdout.write(text.rstrip("\n"))
