"""make_demo: something to look at on a first start. A second call makes nothing twice."""

from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management import BaseCommand, CommandError

from orchestration.demo import making
from orchestration.demo.making import Demo
from orchestration.demo.repository import DemoError
from orchestration.engine.errors import EngineError
from policy.errors import PolicyError


class Command(BaseCommand):
    help = (
        "Make the demo: a small git repository with feature documents, three people, a workflow."
        "\n\nExample: manage.py make_demo"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            demo = making.make_demo()
        except (DemoError, PolicyError, EngineError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_told(demo))


def _told(demo: Demo) -> str:
    if demo.passwords:
        return (
            f"Made the demo: project {making.SLUG} on {demo.repository}.\n"
            f"{making.credentials_text(demo.passwords)}\n"
            f"Only you can read the passwords again, in {demo.credentials}."
        )
    if demo.credentials.exists():
        return f"The demo is there already; how to sign in stands in {demo.credentials}."
    return "The demo is there already; `manage.py changepassword ada` sets a new password."
