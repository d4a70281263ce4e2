"""What every test may lean on. The database is the one `DATABASE_URL` names, else a SQLite file of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from tests import live

SQLITE_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
POSTGRESQL_GUARDED = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"


@pytest.fixture(scope="session")
def _live_server(django_db_setup: None) -> Iterator[live.Server]:
    server = live.Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def live_site(transactional_db: None, _live_server: live.Server) -> live.Server:
    """The whole product on a free port, pages, API and sockets, on the test's own database."""
    return _live_server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Emptying the tables after a transactional test deletes from append-only ones: lift their triggers meanwhile."""
    if "transactional_db" not in getattr(item, "fixturenames", ()):
        return (yield)
    with item._request.getfixturevalue("django_db_blocker").unblock(), _without_triggers():  # type: ignore[attr-defined]
        return (yield)


@contextmanager
def _without_triggers() -> Iterator[None]:
    if connection.vendor == "sqlite":
        triggers = _rows(SQLITE_TRIGGERS)
        lift = [f"DROP TRIGGER {name}" for name, _ in triggers]
        restore = [sql for _, sql in triggers]
    else:
        tables = _rows(POSTGRESQL_GUARDED)
        lift = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for (table,) in tables]
        restore = [f"ALTER TABLE {table} ENABLE TRIGGER USER" for (table,) in tables]
    _execute(lift)
    try:
        yield
    finally:
        _execute(restore)


def _rows(query: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _execute(statements: list[str]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
