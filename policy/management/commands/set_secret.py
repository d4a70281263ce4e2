"""set_secret PROJECT NAME: a value that steps get by name, read from standard input."""

from typing import Any

from django.core.management import CommandParser

from policy import secrets
from policy.management.command import PolicyCommand, actor_of, add_user_option, project, value_from_stdin


class Command(PolicyCommand):
    help = (
        "Store or replace a secret of a project. The value is read from standard input and never shown again.\n\n"
        "Example: printf '%s' \"$KEY\" | manage.py set_secret website DEPLOY_KEY"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("name", metavar="NAME", help="the variable: capital letters, digits, underscores")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        where, by = project(options["project"]), actor_of(options)
        value = value_from_stdin("Value")
        secrets.set_secret(where, options["name"], value, by)
        self.stdout.write(f"Set secret {options['name']} in {where.slug}.")
        self.warn(secrets.weakness(value))
