"""create_feature PROJECT SLUG --title T: a feature without documents."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management import BaseCommand, CommandError

from orchestration import features
from orchestration.management import people
from policy.errors import PolicyError


class Command(BaseCommand):
    help = (
        "Make a feature that has no documents yet.\n\n"
        'Example: manage.py create_feature website faster-search --title "Faster search"'
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("slug", metavar="SLUG", help="the feature's slug: lower-case letters, digits, hyphens")
        parser.add_argument("--title", required=True, help="what people read")
        parser.add_argument("--description", default="", help="a sentence or two")
        parser.add_argument("--json", action="store_true", help="print the feature as JSON")
        people.add_user_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = people.project_of(options["project"])
        try:
            feature = features.create_feature(
                project,
                options["slug"],
                title=options["title"],
                description=options["description"],
                by=people.actor_of(options),
            )
        except PolicyError as error:
            raise CommandError(str(error)) from error
        made = {"project": project.slug, "slug": feature.slug, "title": feature.title}
        self.stdout.write(
            json.dumps(made) if options["json"] else f"Created feature {feature.slug} in project {project.slug}."
        )
