"""What every test may lean on. The database is the one `DATABASE_URL` names, else a SQLite file of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Model
from pytest_django.plugin import blocking_manager_key

from orchestration.executors import sandbox
from tests import live

OURS = {"policy", "orchestration", "workbench", "waffle"}
LAID: list[Model] = []
SQLITE_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
POSTGRESQL_GUARDED = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """What one test put into the cache, such as a flag that was rolled back with it, is no news to the next."""
    cache.clear()


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


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Remember the rows that migrations laid, such as the head of the audit log; at the end, let nobody hold the
    database that is thrown away."""
    with django_db_blocker.unblock():
        LAID.extend(row for model in _our_models() for row in model._default_manager.all())
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock():
            _end_sessions()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop running on this thread for the rest of the session."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("sandbox") and not sandbox.detect():
        pytest.skip("bubblewrap does not work on this machine; script/test without arguments installs it where it can")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A transactional test ends by emptying every table: lift the append-only triggers meanwhile, then lay the first
    rows again. After the last test the database itself is gone."""
    if not _is_transactional(item):
        return (yield)
    with item.config.stash[blocking_manager_key].unblock():
        restore = _lift_triggers()
        try:
            return (yield)
        finally:
            if nextitem is not None:
                _lay_first_rows()
                _execute(restore)


def _is_transactional(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    names = set(getattr(item, "fixturenames", ()))
    return bool(names & {"transactional_db", "live_server"}) or bool(marker and marker.kwargs.get("transaction"))


def _our_models() -> list[type[Model]]:
    return [model for model in apps.get_models() if model._meta.app_label in OURS and model._meta.managed]


def _lay_first_rows() -> None:
    for row in LAID:
        row.save(force_insert=True)


def _end_sessions() -> None:
    """A server refuses to drop a database that somebody is connected to, were it only a pool that is still filling;
    and a busy one may take its time."""
    connection.settings_dict["OPTIONS"]["options"] += " -c statement_timeout=0"
    connection.close()
    connection.close_pool()
    with connection._nodb_cursor() as cursor:
        cursor.execute(END_SESSIONS, [connection.settings_dict["NAME"]])


def _lift_triggers() -> list[str]:
    """Lift them, and give the statements that put them back."""
    if connection.vendor == "sqlite":
        triggers = _rows(SQLITE_TRIGGERS)
        _execute([f"DROP TRIGGER {name}" for name, _ in triggers])
        return [sql for _, sql in triggers]
    tables = _rows(POSTGRESQL_GUARDED)
    _execute([f"ALTER TABLE {table} DISABLE TRIGGER USER" for (table,) in tables])
    return [f"ALTER TABLE {table} ENABLE TRIGGER USER" for (table,) in tables]


def _rows(query: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _execute(statements: list[str]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
