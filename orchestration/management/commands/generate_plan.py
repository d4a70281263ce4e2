"""generate_plan PROJECT FEATURE: a draft plan as YAML on stdout. Stores nothing."""

import json
from typing import Any

from django.core.management import CommandError, CommandParser

from orchestration import drafts, plan_text
from orchestration.management.command import EngineCommand, actor_of, add_user_option, project
from orchestration.models import Feature


class Command(EngineCommand):
    help = (
        "Make a draft plan of a feature's implementation plan: an agent step for each phase, each followed by its "
        "validation, with approval checkpoints.\n\n"
        "Example: manage.py generate_plan website faster-search --provider anthropic > plan.yaml"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("feature", metavar="FEATURE", help="the feature's slug")
        parser.add_argument("--document", metavar="PATH", help="the document to use, relative to the project's folder")
        parser.add_argument("--provider", default="simulated", help="who does the agent steps (default: simulated)")
        parser.add_argument("--json", action="store_true", help="print JSON instead of YAML")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        where = project(options["project"])
        feature = Feature.objects.filter(project=where, slug=options["feature"]).first()
        if feature is None:
            raise CommandError(
                f"The project {where.slug} has no feature {options['feature']!r}; import or create it first."
            )
        plan = drafts.draft_plan(
            feature, by=actor_of(options), path=options["document"] or "", provider=options["provider"]
        )
        text = json.dumps(plan, indent=2, ensure_ascii=False) if options["json"] else plan_text.write_yaml(plan)
        self.stdout.write(text.rstrip("\n"))
