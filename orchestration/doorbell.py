"""Rings at the open pages of a run when it has news, through the channel layer: a hint without content.

In the web process it rings on the server's own loop, which the in-memory layer needs; elsewhere on a loop of its own,
so that no worker waits for a message to leave. Many rings in a row become one.
"""

from __future__ import annotations

import asyncio
import threading

from channels.layers import get_channel_layer

from orchestration import events


def group_of(run_id: str) -> str:
    """The channel group of a run's followers."""
    return f"run.{run_id}"


class Doorbell:
    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[str] = set()
        self._lock = threading.Lock()

    def install(self) -> None:
        events.on_news(self.ring)

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by whoever listens in this process, from its loop."""
        self._loop = loop

    def ring(self, run_id: str) -> None:
        with self._lock:
            if run_id in self._waiting:
                return
            self._waiting.add(run_id)
        asyncio.run_coroutine_threadsafe(self._send(run_id), self._running_loop())

    async def _send(self, run_id: str) -> None:
        with self._lock:
            self._waiting.discard(run_id)
        layer = get_channel_layer()
        if layer is not None:
            await layer.group_send(group_of(run_id), {"type": "run.news"})

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="doorbell", daemon=True).start()
            return self._loop


doorbell = Doorbell()
