"""One feed for each run that somebody watches in this process: it reads once, renders once, and hands out to all.

The event table is the stream and each reader's own number the place in it, so nothing is missed or sent twice; the
bell only says that there may be more, and a look every second makes up for bells that were lost. Reads only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError

from orchestration.doorbell import doorbell, group_of
from workbench.news import Parcel, parcels, still_welcome

logger = logging.getLogger(__name__)
LOOK_EVERY = 1.0
BATCH = 0.1
CHECK_EVERY = 3.0  # with a look every second that is well within the five that are promised
SHARE_OF_TIME = 3  # after a round rest this many times as long as it took
UNREAD = 16  # messages that a reader may leave unconfirmed
UNREAD_CHARACTERS = 1024 * 1024  # what may lie in the pipe of one that confirms nothing
PATIENCE = 15.0
REPLAY, GONE, FINISHED = 1013, 4404, 1000


@dataclass(eq=False)
class Reader:
    """One socket: who reads, how far, and what it shows."""

    actor: Any
    session_key: str
    session_hash: str
    after: int
    asked: dict[str, str]
    send: Callable[[str], Awaitable[None]]
    close: Callable[[int, str], Awaitable[None]]
    line: int | None = None  # the last line of the log that it shows, where it shows one
    totals: tuple[int, bool] | None = None
    role: Any = None
    confirms: bool = False
    unread: int = 0
    unread_characters: int = 0
    full_since: float = 0.0

    @property
    def is_full(self) -> bool:
        """A reader that confirms what it got and has fallen behind gets nothing more until it has caught up."""
        return self.confirms and self.unread >= UNREAD

    @property
    def is_deaf(self) -> bool:
        """Nothing says that it reads at all: it is parted with before the server's memory is its buffer."""
        return not self.confirms and self.unread_characters > UNREAD_CHARACTERS

    def confirmed(self) -> None:
        self.confirms, self.unread, self.unread_characters = True, 0, 0


@dataclass(eq=False)
class Feed:
    run_id: str
    readers: set[Reader] = field(default_factory=set)
    task: asyncio.Task[None] | None = None
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _checked: float = 0.0
    _spent: float = 0.0  # seconds that the last round took

    def join(self, reader: Reader) -> None:
        self.readers.add(reader)
        self._bell.set()
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._run())

    def leave(self, reader: Reader) -> None:
        self.readers.discard(reader)
        self._bell.set()

    def ring(self) -> None:
        self._bell.set()

    async def _run(self) -> None:
        doorbell.use_loop(asyncio.get_running_loop())
        listener = asyncio.create_task(self._listen())
        try:
            while self.readers:
                self._spent = 0.0
                more = await self._round_safely()
                await asyncio.sleep(max(BATCH, SHARE_OF_TIME * self._spent) if self.readers else 0)
                if not more and self.readers:
                    await self._wait()
        finally:
            listener.cancel()
            if _feeds.get(self.run_id) is self:
                del _feeds[self.run_id]

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(), LOOK_EVERY)
        self._bell.clear()

    async def _listen(self) -> None:
        """The bell, through the channel layer. Without it the look every second goes on.

        Its last reader may leave while it joins the group, too.
        """
        layer = get_channel_layer()
        channel = await layer.new_channel()
        try:
            await layer.group_add(group_of(self.run_id), channel)
            while True:
                await layer.receive(channel)
                self._bell.set()
        finally:
            await layer.group_discard(group_of(self.run_id), channel)

    async def _round_safely(self) -> bool:
        """Whether a reader is still behind. A loop that logs, backs off and goes on."""
        try:
            return await self._round()
        except DatabaseError:
            logger.warning("the feed of run %s could not read; trying again", self.run_id, exc_info=True)
        except Exception:
            logger.exception("the feed of run %s broke; trying again", self.run_id)
        await asyncio.sleep(LOOK_EVERY)
        return True

    async def _round(self) -> bool:
        await self._check_rights()
        await self._part_with_the_slow()
        ready = [reader for reader in self.readers if not reader.is_full]
        if not ready:
            return False
        began = time.monotonic()
        made = await _in_thread(parcels)(self.run_id, ready)
        # Of handing out only what it took of the processor: on a busy machine waiting for it would count as work, too.
        self._spent, began = time.monotonic() - began, time.thread_time()
        for parcel in made:
            await self._deliver(parcel)
        self._spent += time.thread_time() - began
        return any(parcel.is_behind for parcel in made)

    async def _deliver(self, parcel: Parcel) -> None:
        reader = parcel.reader
        if reader not in self.readers:
            return
        reader.after, reader.unread = parcel.upto, reader.unread + 1
        reader.unread_characters += len(parcel.html)
        reader.full_since = time.monotonic()
        if parcel.line is not None:
            reader.line = parcel.line
        reader.totals = parcel.totals
        if parcel.html and not await self._has_sent(reader, parcel.html):
            await self._dismiss(reader, REPLAY, "replay")
        elif parcel.is_last:
            await self._dismiss(reader, FINISHED, "finished")

    async def _has_sent(self, reader: Reader, html: str) -> bool:
        """A socket that breaks takes nobody else's words with it; its page comes again and reads on where it was."""
        try:
            await reader.send(html)
        except Exception:
            logger.exception("a socket of run %s broke while it was told something", self.run_id)
            return False
        return True

    async def _check_rights(self) -> None:
        """A role or a session that was taken away closes the socket within seconds."""
        if time.monotonic() - self._checked < CHECK_EVERY and all(reader.role for reader in self.readers):
            return
        self._checked = time.monotonic()
        asked = list(self.readers)
        roles = await _in_thread(still_welcome)(self.run_id, asked)
        for reader in asked:
            reader.role = roles.get(reader)
            if reader.role is None:
                await self._dismiss(reader, GONE, "gone")

    async def _part_with_the_slow(self) -> None:
        now = time.monotonic()
        slow = [one for one in self.readers if one.is_full and now - one.full_since > PATIENCE]
        for reader in [*slow, *(one for one in self.readers if one.is_deaf)]:
            await self._dismiss(reader, REPLAY, "replay")

    async def _dismiss(self, reader: Reader, code: int, why: str) -> None:
        self.readers.discard(reader)
        await reader.close(code, why)


_feeds: dict[str, Feed] = {}


def feed_of(run_id: str) -> Feed:
    """The run's feed in this process; it ends with its last reader."""
    found = _feeds.get(run_id)
    if found is None or (found.task is not None and found.task.done()):
        found = _feeds[run_id] = Feed(run_id)
    return found


def _in_thread(work: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    # Not the one thread that requests share: a feed must not wait for a slow page.
    asynchronous: Callable[..., Awaitable[Any]] = database_sync_to_async(work, thread_sensitive=False)
    return asynchronous
