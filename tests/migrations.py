"""Takes the database forward, our apps back to nothing, and forward again: `python -m tests.migrations`."""

import os

import django
from django.core.management import call_command

APPS_FROM_THE_TOP = ("workbench", "orchestration", "policy")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccdash.settings")
    django.setup()
    call_command("migrate", interactive=False, verbosity=1)
    for label in _with_migrations():
        call_command("migrate", label, "zero", interactive=False, verbosity=1)
    call_command("migrate", interactive=False, verbosity=1)


def _with_migrations() -> list[str]:
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    return [label for label in APPS_FROM_THE_TOP if label in MigrationLoader(connection).migrated_apps]


if __name__ == "__main__":
    main()
