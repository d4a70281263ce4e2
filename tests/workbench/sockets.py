"""A page's socket for tests: the real application with its door, cookies and all, without a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from ccdash.asgi import application

EVENT = re.compile(r'<li class="event" id="event-(\d+)"')
OWN = "http://127.0.0.1"


class Pipe(WebsocketCommunicator):  # type: ignore[misc]
    """Channels' own keeps threads from giving their database connections back, for tests that are one transaction;
    here each story would leave one behind with a thread that is gone, until a pool is empty."""

    send_input = ApplicationCommunicator.send_input
    receive_output = ApplicationCommunicator.receive_output


class Socket:
    """Collects what comes, so that a test can ask which events it was told of."""

    def __init__(self, address: str, user: User | None, *, origin: str | None = OWN) -> None:
        self.address, self.user, self.origin = address, user, origin
        self.client = Client()
        self.html: list[str] = []
        self.closed: int | None = None

    async def __aenter__(self) -> Socket:
        headers = [(b"host", b"127.0.0.1")]
        if self.origin is not None:
            headers.append((b"origin", self.origin.encode()))
        if self.user is not None:
            await aside(self.client.force_login)(self.user)
            name = settings.SESSION_COOKIE_NAME
            headers.append((b"cookie", f"{name}={self.client.cookies[name].value}".encode()))
        self.pipe = Pipe(application, self.address, headers=headers)
        self.accepted, code = await self.pipe.connect(timeout=5)
        if not self.accepted:
            self.closed = code
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self.pipe.disconnect()

    async def until(self, is_enough: Callable[[Socket], bool], within: float = 8.0) -> None:
        """Read until it is enough, or until nothing more can come."""
        async with asyncio.timeout(within):
            while not is_enough(self):
                message = await self.pipe.receive_output(within)
                if message["type"] == "websocket.close":
                    self.closed = message["code"]
                    return
                self.html.append(message["text"])

    async def say(self, text: str) -> None:
        await self.pipe.send_to(text_data=text)

    @property
    def events(self) -> list[int]:
        return [int(number) for html in self.html for number in EVENT.findall(html)]

    @property
    def all_html(self) -> str:
        return "".join(self.html)


def play(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


def aside(work: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """The test's own rows, from a thread where the database may be used."""
    return sync_to_async(work, thread_sensitive=True)
