"""What the product stands on: database, channel layer, broker, providers."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError, connection

from ccdash import database as databases
from ccdash import preparing
from ccdash.doctor.finding import Finding, fail, ok, warn
from orchestration.providers import PROVIDERS
from orchestration.providers.config import ProviderConfig, from_environment

PATIENCE_SECONDS = 5.0


def database() -> Iterator[Finding]:
    try:
        if connection.connection is None:
            databases.knock(connection)
        phrases = databases.unexpected_values(connection)
        missing = preparing.missing_migrations()
    except DatabaseError as error:
        reason = str(error).strip().partition("\n")[0]
        yield fail("database", f"It can't be opened: {reason}.", "Check DATABASE_URL, and that it runs.")
        return
    for phrase in phrases:
        yield fail("database", f"It would not keep its promises: {phrase}.", "Mend its configuration.")
    if missing:
        yield fail("migrations", f"{len(missing)} are missing.", "script/manage migrate")
    if not phrases:
        yield ok("database", f"{connection.vendor}, and it keeps what it acknowledges.")
    if not missing:
        yield ok("migrations", "All are applied.")


def channel_layer() -> Iterator[Finding]:
    """A message there and back: pages follow without it too, only later."""
    name = str(settings.CHANNEL_LAYERS["default"]["BACKEND"]).rpartition(".")[2]
    try:
        came_back = asyncio.run(asyncio.wait_for(_round_trip(), PATIENCE_SECONDS))
    except Exception as error:  # noqa: BLE001
        # Redis, PostgreSQL and the layers over them each have their own errors.
        came_back = False
        name = f"{name}: {type(error).__name__}"
    if came_back:
        yield ok("channel layer", f"{name} carries a message there and back.")
    else:
        mend = "Check REDIS_URL, or unset it; open pages follow by looking every second meanwhile."
        yield warn("channel layer", f"No message came back ({name}).", mend)


async def _round_trip() -> bool:
    layer, group, word = get_channel_layer(), f"doctor.{uuid.uuid4().hex}", uuid.uuid4().hex
    if layer is None:
        return False
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    await layer.group_send(group, {"type": "doctor", "word": word})
    answer = await layer.receive(channel)
    await layer.group_discard(group, channel)
    return bool(answer.get("word") == word)


def broker() -> Iterator[Finding]:
    if settings.DISPATCH != "distributed":
        yield ok("broker", f"None is needed: work is handed on by {settings.DISPATCH}.")
        return
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    if "procrastinate_jobs" in tables:
        yield ok("broker", "procrastinate's tables are in the database.")
    else:
        yield fail("broker", "procrastinate's tables are not in the database.", "script/manage migrate")


def providers(*, network: bool) -> Iterator[Finding]:
    for name in PROVIDERS:
        config = from_environment(name, os.environ)
        problems = PROVIDERS[name](config).validate_config({"model": "any", "prompt": "any"})
        if problems:
            # Agents are one kind of step among others: an installation may well do without.
            yield ok("providers", f"{name} is not configured, its steps would fail: {problems[0]}")
        elif network and name != "simulated":
            yield _reached(name, config)
        else:
            yield ok("providers", f"{name} is configured.")


def _reached(name: str, config: ProviderConfig) -> Finding:
    """Whether anything answers there; no key is sent."""
    parts = urlsplit(config.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=PATIENCE_SECONDS) as plain:
            if parts.scheme == "https":
                with ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname):
                    pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return fail("providers", f"{name} can't be reached: {reason}.", "Check the network, or its base URL.")
    return ok("providers", f"{name} is configured, and answers at {parts.hostname}.")
