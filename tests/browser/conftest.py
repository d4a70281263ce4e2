"""Browsers that look at the live site. Every test fails on a console error, a script error or a foreign request.

`sign_in(context, user)` spares the form; `console.allow("409")` says that a message is expected; `problems(page)` are
what axe finds serious.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebError, expect

from tests import chromium
from tests.live import Server

AXE = Path(__file__).parent / "axe-core-4.14.1" / "axe.min.js"
SWITCHES = [
    "--no-sandbox",  # in a container there are no user namespaces; the pages are our own
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
]

expect.set_options(timeout=15_000)
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop runs on the thread where tests use the ORM


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": chromium.find(), "args": SWITCHES}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"}


class Console:
    """What the pages complained of, and what they asked of other hosts."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.heard: list[str] = []
        self.allowed: list[str] = []

    def allow(self, pattern: str) -> None:
        self.allowed.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        return [line for line in self.heard if not any(re.search(pattern, line) for pattern in self.allowed)]

    def watch(self, context: BrowserContext) -> None:
        context.on("console", self._message)
        context.on("weberror", self._error)
        context.on("request", self._request)

    def _message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.heard.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _error(self, error: WebError) -> None:
        self.heard.append(f"script: {error.error}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.heard.append(f"foreign request: {request.url}")


@pytest.fixture
def console(live_site: Server) -> Iterator[Console]:
    console = Console(live_site.url)
    yield console
    assert console.unexpected == []


@pytest.fixture
def new_context(new_context: Callable[..., BrowserContext], console: Console) -> Callable[..., BrowserContext]:
    def watched(**options: Any) -> BrowserContext:
        context = new_context(**options)
        console.watch(context)
        return context

    return watched


@pytest.fixture
def sign_in(live_site: Server) -> Callable[[BrowserContext, User], None]:
    def sign_in(context: BrowserContext, user: User) -> None:
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_site.url}])

    return sign_in


@pytest.fixture
def problems() -> Callable[[Page], list[str]]:
    """Serious findings of axe. Its source goes in by the debugger, so our own policy stays as strict as it is."""

    def find(page: Page) -> list[str]:
        page.evaluate(AXE.read_text())
        found = page.evaluate("() => axe.run()")
        serious = [entry for entry in found["violations"] if entry["impact"] in {"serious", "critical"}]
        return [f"{entry['id']}: {entry['help']}: {entry['nodes'][0]['target']}" for entry in serious]

    return find
