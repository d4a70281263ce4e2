"""set_env_profile PROJECT NAME: variables and secrets that steps get by the profile's name."""

from typing import Any

from django.core.management import CommandError, CommandParser

from policy import profiles
from policy.management.command import PolicyCommand, actor_of, add_user_option, project


class Command(PolicyCommand):
    help = (
        "Make or replace an environment profile of a project, or remove it. Steps name it as env_profile.\n\n"
        "Example: manage.py set_env_profile website ci --env CI=1 --env TZ=UTC --secret NPM_TOKEN"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("name", metavar="NAME", help="the profile: small letters, digits, - and _")
        parser.add_argument("--env", metavar="NAME=VALUE", action="append", default=[], help="a variable; may repeat")
        parser.add_argument("--secret", metavar="NAME", action="append", default=[], help="a secret; may repeat")
        parser.add_argument("--remove", action="store_true", help="remove the profile")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        where, by, name = project(options["project"]), actor_of(options), options["name"]
        if options["remove"]:
            profiles.remove_profile(where, name, by)
            self.stdout.write(f"Removed the environment profile {name} of {where.slug}.")
            return
        if wrong := next((pair for pair in options["env"] if "=" not in pair), None):
            raise CommandError(f"{wrong!r} is not NAME=VALUE.")
        env = dict(pair.split("=", 1) for pair in options["env"])
        profiles.set_profile(where, name, env=env, secrets=options["secret"], by=by)
        self.stdout.write(f"Set environment profile {name} in {where.slug}: {len(env)} variables.")
