"""Rings at the open pages of a run when it has news, through the channel layer: a hint without content.

In the web process it rings on the server's own loop, which the in-memory layer needs; elsewhere on a loop of its own,
so that no worker waits for a message to leave. The first ring goes out at once; those that follow within a moment
become one, because through a database each is a commit, too.
"""

from __future__ import annotations

import asyncio
import threading

from channels.layers import get_channel_layer

from orchestration import events

QUIET_SECONDS = 0.04


def group_of(run_id: str) -> str:
    """The channel group of a run's followers."""
    return f"run.{run_id}"


class Doorbell:
    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: set[str] = set()
        self._ringing: set[str] = set()
        self._lock = threading.Lock()

    def install(self) -> None:
        events.on_news(self.ring)

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by whoever listens in this process, from its loop."""
        with self._lock:
            self._change_loop(loop)

    def ring(self, run_id: str) -> None:
        loop = self._running_loop()
        with self._lock:
            self._news.add(run_id)
            if run_id in self._ringing:
                return
            self._ringing.add(run_id)
        asyncio.run_coroutine_threadsafe(self._ring_for(run_id), loop)

    async def _ring_for(self, run_id: str) -> None:
        """Until there is nothing new; a layer that fails costs this ring, not the next."""
        try:
            while self._take(run_id):
                await self._send(run_id)
                await asyncio.sleep(QUIET_SECONDS)
        except BaseException:
            with self._lock:
                self._ringing.discard(run_id)
            raise

    def _take(self, run_id: str) -> bool:
        with self._lock:
            has_news = run_id in self._news
            self._news.discard(run_id)
            if not has_news:
                self._ringing.discard(run_id)
            return has_news

    async def _send(self, run_id: str) -> None:
        layer = get_channel_layer()
        if layer is not None:
            await layer.group_send(group_of(run_id), {"type": "run.news"})

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="doorbell", daemon=True).start()
                self._change_loop(loop)
                return loop
            return self._loop

    def _change_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """What a closed loop was about to ring goes with it."""
        self._loop = loop
        self._news.clear()
        self._ringing.clear()


doorbell = Doorbell()
