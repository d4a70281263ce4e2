"""add_member PROJECT USERNAME --role ROLE: membership."""

from typing import Any

from django.core.management import CommandParser

from policy import members
from policy.management.command import PolicyCommand, actor_of, add_user_option, person, project
from policy.models.access import Role


class Command(PolicyCommand):
    help = (
        "Make a person a member of a project, or change the role.\n\n"
        "Example: manage.py add_member website anna --role approver"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument("--role", required=True, choices=Role.values, help="each may do what the ones before may")
        parser.add_argument("--reason", default="", help="why, for the audit log")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        where, who = project(options["project"]), person(options["username"])
        members.grant(where, who, options["role"], by=actor_of(options), reason=options["reason"])
        self.stdout.write(f"{who.username} is {options['role']} in {where.slug}.")
