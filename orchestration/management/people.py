"""On whose behalf a management command acts: a person named by --user, or the owner of the installation."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management import CommandError

from policy.actors import Actor
from policy.models import Project


def add_user_option(parser: ArgumentParser) -> None:
    parser.add_argument("--user", metavar="USERNAME", help="act for this person; rights and audit are theirs")


def actor_of(options: dict[str, Any]) -> Actor:
    name = options.get("user")
    if not name:
        return Actor.for_shell()
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active person {name!r}.")
    return Actor.for_command(user)


def project_of(slug: str) -> Project:
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        known = ", ".join(Project.objects.values_list("slug", flat=True)[:20]) or "none yet"
        raise CommandError(f"There is no project {slug!r}; there are: {known}.")
    return project
