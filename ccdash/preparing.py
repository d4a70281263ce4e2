"""What must be done before the first page: schema, static files, demo. Each is skipped where it is done already.

`serve --prepare` calls this in the process that then serves, because every start of Django costs seconds.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

logger = logging.getLogger(__name__)
STAMP = ".collected"


def prepare() -> None:
    if missing_migrations():
        with _patience():
            call_command("migrate", interactive=False, verbosity=0)
    if _static_fingerprint() != _read(_stamp()):
        collect_static()
    if settings.DEMO and not get_user_model().objects.exists():
        _make_demo()


def _make_demo() -> None:
    """Nice to have: without git there is none, and the product serves all the same."""
    try:
        call_command("make_demo")
    except CommandError as error:
        logger.warning("there is no demo: %s", error)


def missing_migrations() -> set[tuple[str, str]]:
    """Migrations on disk that the database has not seen, told by name alone: loading them all takes a second."""
    on_disk = {
        (app.label, file.stem)
        for app in apps.get_app_configs()
        for file in Path(app.path, "migrations").glob("[!_]*.py")
    }
    return on_disk - set(MigrationRecorder(connection).applied_migrations())


def collect_static() -> None:
    call_command("collectstatic", interactive=False, verbosity=0)
    _stamp().write_text(_static_fingerprint())


def _static_fingerprint() -> str:
    """Changes whenever a static file of ours or of a package comes, goes or is written."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=lambda found: found[0]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _stamp() -> Path:
    return Path(settings.STATIC_ROOT) / STAMP


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


@contextmanager
def _patience() -> Iterator[None]:
    """A migration of large tables takes longer than any request may."""
    if connection.vendor == "postgresql":
        _execute("SET statement_timeout = 0")
    try:
        yield
    finally:
        if connection.vendor == "postgresql":
            _execute("RESET statement_timeout")


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
