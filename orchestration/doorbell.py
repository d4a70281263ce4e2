"""Rings at the open pages of a run when it has news, through the channel layer: a hint without content.

In the web process it rings on the server's own loop, which the in-memory layer needs; elsewhere on a loop of its own,
so that no worker waits for a message to leave. The first ring goes out at once; those that follow within a moment
go out together, one for each run, because through a database each is a commit, too.
"""

from __future__ import annotations

import asyncio
import logging
import threading

from channels.layers import get_channel_layer

from orchestration import events

logger = logging.getLogger(__name__)
QUIET_SECONDS = 0.04


def group_of(run_id: str) -> str:
    """The channel group of a run's followers."""
    return f"run.{run_id}"


class Doorbell:
    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: set[str] = set()
        self._is_ringing = False
        self._lock = threading.Lock()

    def install(self) -> None:
        events.on_news(self.ring)

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by whoever listens in this process, from its loop."""
        with self._lock:
            if loop is not self._loop:
                self._change_loop(loop)

    def ring(self, run_id: str) -> None:
        loop = self._running_loop()
        with self._lock:
            self._news.add(run_id)
            was_ringing, self._is_ringing = self._is_ringing, True
        if not was_ringing:
            asyncio.run_coroutine_threadsafe(self._ring_on(), loop)

    async def _ring_on(self) -> None:
        """Until there is nothing new. One task for all runs: waking the loop for each costs as much as a step."""
        while runs := self._take():
            await asyncio.gather(*(self._send(run_id) for run_id in runs))
            await asyncio.sleep(QUIET_SECONDS)

    def _take(self) -> set[str]:
        with self._lock:
            runs, self._news = self._news, set()
            self._is_ringing = bool(runs)
            return runs

    async def _send(self, run_id: str) -> None:
        """A layer that fails costs this ring, not the next: open pages also look by themselves."""
        try:
            layer = get_channel_layer()
            if layer is not None:
                await layer.group_send(group_of(run_id), {"type": "run.news"})
        except Exception:
            logger.warning("the followers of run %s could not be told", run_id, exc_info=True)

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
        self._is_ringing = False


doorbell = Doorbell()
