"""create_feature PROJECT SLUG --title T: a feature without documents."""

import json
from typing import Any

from django.core.management import CommandParser

from orchestration import features
from orchestration.management.command import EngineCommand, actor_of, add_user_option, project


class Command(EngineCommand):
    help = (
        "Make a feature that has no documents yet.\n\n"
        'Example: manage.py create_feature website faster-search --title "Faster search"'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("slug", metavar="SLUG", help="the feature's slug: lower-case letters, digits, hyphens")
        parser.add_argument("--title", required=True, help="what people read")
        parser.add_argument("--description", default="", help="a sentence or two")
        parser.add_argument("--json", action="store_true", help="print the feature as JSON")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        where = project(options["project"])
        feature = features.create_feature(
            where,
            options["slug"],
            title=options["title"],
            description=options["description"],
            by=actor_of(options),
        )
        made = {"project": where.slug, "slug": feature.slug, "title": feature.title}
        self.stdout.write(
            json.dumps(made) if options["json"] else f"Created feature {feature.slug} in project {where.slug}."
        )
