"""Pages, API, sockets and worker in one process: what `script/run` starts.

Whatever would keep it from serving is said in one sentence before anything is begun.
"""

import errno
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection

from ccdash import database, preparing
from ccdash.env import BadSetting

EVERY_ADDRESS = {"0.0.0.0", "::", "[::]"}  # noqa: S104


class Command(BaseCommand):
    help = "Serve the pages, the API and a worker on $HOST:$PORT. Example: PORT=8080 manage.py serve --prepare"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--prepare", action="store_true", help="first migrate, collect static files, make the demo")

    def handle(self, *args: Any, prepare: bool, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _leave)
        refuse_taken_port(settings.HOST, settings.PORT)
        open_database()
        if settings.REDIS_URL and (reason := why_redis_is_silent(settings.REDIS_URL)):
            self.stderr.write(f"REDIS_URL: no answer ({reason}). Open pages follow more slowly until there is one.")
        if prepare:
            preparing.prepare()
        elif missing := preparing.missing_migrations():
            raise BadSetting(f"The database lacks {len(missing)} migrations: run `script/manage migrate` first.")
        self.check(display_num_errors=False)
        with embedded_worker():
            self._serve()

    def _serve(self) -> None:
        from ccdash.daphne import serve

        signal.signal(signal.SIGINT, signal.default_int_handler)  # Twisted replaces no other
        if not serve(host=settings.HOST, port=settings.PORT, on_ready=self._announce):
            raise BadSetting(_taken(settings.PORT))
        self.stdout.write("Stopped. Commands that were running live on and are taken up at the next start.")

    def _announce(self) -> None:
        self.stdout.write(f"CCDash Workbench is ready on {settings.URL} (data in {settings.DATA_DIR}). Ctrl-C ends it.")
        if settings.HOST in EVERY_ADDRESS and settings.ALLOWED_HOSTS == settings.OWN_NAMES:
            self.stdout.write("It answers to no other name than localhost: list yours in CCDASH_ALLOWED_HOSTS.")
        self.stdout.flush()


def refuse_taken_port(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BadSetting(_taken(port)) from None
        reason = (error.strerror or str(error)).lower()
        raise BadSetting(f"HOST={host} PORT={port} can't be listened on: {reason}. Choose others.") from None


def open_database() -> None:
    try:
        database.knock(connection)
        phrases = database.unexpected_values(connection)
    except DatabaseError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadSetting(f"The database can't be opened: {reason}. Check DATABASE_URL, and that it runs.") from None
    if phrases:
        raise BadSetting(f"The database would not keep its promises: {'; '.join(phrases)}. Mend its configuration.")


def why_redis_is_silent(address: str) -> str:
    """Redis only rings at open pages: without it work goes on, so this is said and not refused."""
    import redis

    try:
        redis.from_url(address, socket_connect_timeout=3).ping()
    except redis.RedisError as error:
        return str(error).rstrip(".")
    return ""


@contextmanager
def embedded_worker() -> Iterator[None]:
    """A worker beside the server while it serves, unless workers run elsewhere."""
    if not settings.EMBEDDED:
        yield
        return
    from orchestration.pool import Pool

    pool = Pool(settings.WORKERS)
    pool.start()
    try:
        yield
    finally:
        pool.stop()


def _taken(port: int) -> str:
    return f"PORT={port} is taken: stop what listens there, or choose another, for example PORT={port + 1}."


def _leave(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)
