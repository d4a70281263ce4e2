"""create_user USERNAME [--email E] [--password-stdin] [--admin]: a person."""

from typing import Any

from django.core.management import CommandParser

from policy import people
from policy.management.command import PolicyCommand, actor_of, add_user_option, value_from_stdin


class Command(PolicyCommand):
    help = (
        "Make an account.\n\n"
        "Example: printf '%s' \"$PASSWORD\" | manage.py create_user anna --email anna@example.org --password-stdin"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument("--email", default="", help="two accounts with one address count as one person")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        parser.add_argument("--admin", action="store_true", help="may do everything, in Django admin, too")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        password = value_from_stdin("Password") if options["password_stdin"] else None
        user = people.create_user(
            options["username"],
            email=options["email"],
            password=password,
            is_admin=options["admin"],
            by=actor_of(options),
        )
        kind = "administrator" if user.is_superuser else "person"
        hint = "" if password is not None else f" Set a password with: manage.py changepassword {user.username}"
        self.stdout.write(f"Created {kind} {user.username}.{hint}")
        if people.shares_address(user):
            self.warn(f"Another account has the address {user.email}; in approvals both count as one person.")
