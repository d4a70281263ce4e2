"""create_api_token USERNAME [--may-approve]: prints the token, alone."""

from datetime import timedelta
from typing import Any

from django.core.management import CommandParser
from django.utils import timezone

from policy import tokens
from policy.actors import Actor
from policy.errors import NotAllowed
from policy.management.command import PolicyCommand, actor_of, add_user_option, person


class Command(PolicyCommand):
    help = (
        "Issue an API token and print it, alone: it can't be shown again.\n\n"
        "Example: TOKEN=$(manage.py create_api_token anna --name ci --expires-days 90)"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="USERNAME", help="whose rights the token has")
        parser.add_argument("--may-approve", action="store_true", help="the token may decide approvals for this person")
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument("--expires-days", type=int, metavar="DAYS", help="for ever where left out")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        days = options["expires_days"]
        who, by = person(options["username"]), actor_of(options)
        _require_own(who.pk, by)
        _, raw = tokens.create(
            who,
            name=options["name"],
            may_approve=options["may_approve"],
            expires_at=timezone.now() + timedelta(days=days) if days is not None else None,
            by=by,
        )
        self.stdout.write(raw)


def _require_own(user_id: int, by: Actor) -> None:
    if by.user_id != user_id and not by.is_superuser and not by.owns_installation:
        raise NotAllowed("Only a superuser may issue a token for somebody else.")
