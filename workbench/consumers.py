"""The live channel of a run's page: authorise, join the feed, forward. Nothing that comes in changes anything.

What a page may say: which step it shows and how far (`{"asked": "?step=…", "line": 12}`), and that it has read what it
got (`{"read": true}`), by which a slow one is told from one that keeps up.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl

from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from orchestration.engine.errors import NotFound
from orchestration.reading import finding
from policy.actors import Actor
from workbench.feeds import Feed, Reader, feed_of
from workbench.run_page.view import choices, number_in

SOCKETS_EACH = 20
LONGEST_MESSAGE = 4096
MESSAGES, PER_SECONDS = 120, 10.0
REFUSED, TOO_MANY, TOO_LONG, TOO_OFTEN = 4404, 4429, 1009, 1008
_open: Counter[int] = Counter()


class RunConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    reader: Reader | None = None
    feed: Feed | None = None
    counted = 0
    window = 0.0

    async def connect(self) -> None:
        user = self.scope["user"]
        run_id = await self._visible_run()
        if run_id is None:
            # Unknown, foreign and signed out look alike.
            await self.close(REFUSED)
            return
        if _open[user.pk] >= SOCKETS_EACH:
            await self.close(TOO_MANY)
            return
        _open[user.pk] += 1
        asked = dict(parse_qsl(self.scope["query_string"].decode("latin-1")))
        self.reader = Reader(
            actor=Actor.for_session(user, self.scope["session"]),
            session_key=self.scope["session"].session_key,
            session_hash=user.get_session_auth_hash(),
            after=number_in(asked, "after") or 0,
            asked=choices(asked),
            send=self._send_text,
            close=self._close_with,
        )
        await self.accept()
        self.feed = feed_of(run_id)
        self.feed.join(self.reader)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Channels would look after old database connections first, on another thread, for each word of each page.
        Nothing here reads rows but by `database_sync_to_async`, which does that itself."""
        await getattr(self, get_handler_name(message))(message)

    async def disconnect(self, code: int) -> None:
        if self.reader is None or self.feed is None:
            return
        self.feed.leave(self.reader)
        _open[self.reader.actor.user_id] -= 1

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None or len(text_data) > LONGEST_MESSAGE:
            await self.close(TOO_LONG)
        elif self._is_too_often():
            await self.close(TOO_OFTEN)
        elif self.reader is not None:
            self._take(_parsed(text_data))

    def _take(self, said: dict[str, Any]) -> None:
        assert self.reader is not None  # noqa: S101
        assert self.feed is not None  # noqa: S101
        if said.get("read") is True:
            self.reader.confirmed()
        if isinstance(said.get("asked"), str):
            line = said.get("line")
            self.reader.asked = choices(dict(parse_qsl(said["asked"].removeprefix("?"))))
            self.reader.line = line if isinstance(line, int) and 0 <= line < 10**15 else None
            self.reader.totals = None
            self.feed.ring()

    def _is_too_often(self) -> bool:
        now = time.monotonic()
        if now - self.window > PER_SECONDS:
            self.window, self.counted = now, 0
        self.counted += 1
        return self.counted > MESSAGES

    async def _visible_run(self) -> str | None:
        user = self.scope["user"]
        if not user.is_authenticated:
            return None
        actor = Actor.for_session(user, self.scope["session"])
        find = database_sync_to_async(finding.find_run, thread_sensitive=False)
        try:
            return str((await find(actor, self.scope["url_route"]["kwargs"]["run_id"])).pk)
        except NotFound:
            return None

    async def _send_text(self, html: str) -> None:
        await self.send(text_data=html)

    async def _close_with(self, code: int, why: str) -> None:
        await self.close(code, why)


def _parsed(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
