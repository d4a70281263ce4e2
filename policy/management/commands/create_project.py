"""create_project SLUG --path PATH [--name NAME]: a project on a folder or git repository."""

from typing import Any

from django.core.management import CommandParser

from policy import projects
from policy.management.command import PolicyCommand, actor_of, add_user_option


class Command(PolicyCommand):
    help = (
        "Register a project on an existing folder or git repository.\n\n"
        'Example: manage.py create_project website --path /srv/repositories/website --name "Web site"'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="lower-case letters, digits, hyphens")
        parser.add_argument("--path", required=True, help="the folder that runs work on; it must exist")
        parser.add_argument("--name", default="", help="what people read; the slug where left out")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        project = projects.register(options["slug"], path=options["path"], name=options["name"], by=actor_of(options))
        self.stdout.write(f"Created project {project.slug} on {project.path}.")
