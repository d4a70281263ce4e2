"""Runs one turn of a provider on a thread of its own, so that the agent can be canceled while the network is silent.

The thread touches the provider alone; handle, events and result reach the agent through a queue, in order. After the
handle it stops until the agent has stored it.
"""

from __future__ import annotations

import queue
import threading
from contextlib import suppress

from orchestration.providers.base import Handle, Provider, ProviderError, ProviderEvent, TurnRequest, TurnResult

Item = Handle | ProviderEvent | TurnResult | ProviderError
BACKLOG = 1000


class Pump:
    def __init__(self, provider: Provider, request: TurnRequest, handle: Handle | None, cursor: int) -> None:
        self._provider = provider
        self._request = request
        self._handle = handle
        self._cursor = cursor
        self._items: queue.Queue[Item] = queue.Queue(BACKLOG)
        self._stored = threading.Event()
        self._stopped = threading.Event()
        self._over = False  # its last word was heard
        self._thread = threading.Thread(target=self._run, name=f"agent-{provider.name}", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def next(self, timeout: float) -> Item | None:
        try:
            item = self._items.get(timeout=timeout)
        except queue.Empty:
            return None
        self._over = isinstance(item, TurnResult | ProviderError)
        return item

    def go_on(self) -> None:
        """The handle is durable now."""
        self._stored.set()

    def stop(self) -> None:
        """Wake and end the thread if it still works; an answer that comes later is canceled and thrown away."""
        self._stopped.set()
        self._stored.set()
        if not self._over:
            self._provider.abort()

    def _run(self) -> None:
        try:
            self._turn()
        except ProviderError as error:
            self._put(error)
        except Exception as error:  # noqa: BLE001 - a hostile answer must not end the agent without a word
            sentence = f"The provider's answer could not be understood ({type(error).__name__})."
            self._put(ProviderError("garbage", sentence, retryable=True))

    def _turn(self) -> None:
        if self._handle is None:
            self._handle = self._provider.start(self._request)
            self._put(self._handle)
            self._stored.wait()
            if self._stopped.is_set():
                self._provider.cancel(self._handle)
                return
        for event in self._provider.events(self._handle, self._cursor):
            if self._stopped.is_set():
                return
            self._put(event)
        self._put(self._provider.collect(self._handle))

    def _put(self, item: Item) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._items.put(item, timeout=0.5)
                return
