"""What all management commands share: an example in the help, people by name, refusals as one sentence."""

from __future__ import annotations

import getpass
import sys
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.contrib.auth.models import User
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from policy.actors import Actor
from policy.errors import PolicyError
from policy.models import Project


class PolicyCommand(BaseCommand):
    """`run` does the work; a refusal ends it with its sentence and exit code 1."""

    refusals: tuple[type[Exception], ...] = (PolicyError,)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.run(options)
        except self.refusals as refusal:
            raise CommandError(str(refusal)) from None
        except DatabaseError as error:
            reason = str(error).strip().partition("\n")[0]
            raise CommandError(f"The database can't be used now: {reason}. `manage.py doctor` says more.") from None

    def run(self, options: dict[str, Any]) -> None:
        raise NotImplementedError

    def warn(self, sentence: str) -> None:
        if sentence:
            self.stderr.write(self.style.WARNING(f"Warning: {sentence}"))


def add_user_option(parser: CommandParser, *, required: bool = False) -> None:
    text = "act for this person; rights and audit are theirs"
    parser.add_argument("--user", metavar="USERNAME", required=required, help=text)


def actor_of(options: dict[str, Any]) -> Actor:
    """The person named by --user, else the owner of the installation."""
    return Actor.for_command(person(options["user"])) if options.get("user") else Actor.for_shell()


def person(username: str) -> User:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active person {username!r}.")
    return user


def project(slug: str) -> Project:
    found = Project.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none yet"
        raise CommandError(f"There is no project {slug!r}; there are: {known}.")
    return found


def value_from_stdin(what: str) -> str:
    """One value without its last line break; asked for without echo where a person types it."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{what}: ")
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise CommandError(f"{what} on standard input is not UTF-8 text.") from None
    return text.removesuffix("\n").removesuffix("\r")
