"""The live words of an agent on their way into the step's log: gathered, never doubled after a restart."""

from __future__ import annotations

import time

from ..base import Host

STREAM = "agent"
FLUSH_SECONDS = 0.2
FLUSH_BYTES = 16 * 1024


class LiveText:
    """`offset` counts every byte the agent said; what the host has stored already is passed over."""

    def __init__(self, host: Host, offset: int | None = None) -> None:
        self._host = host
        self._stored = host.log_offset()
        self.offset = self._stored if offset is None else offset
        self._waiting: list[bytes] = []
        self._size = 0
        self._since = time.monotonic()

    def add(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        self.offset += len(data)
        fresh = data[-(self.offset - self._stored) :] if self.offset > self._stored else b""
        if not fresh:
            return
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(fresh)
        self._size += len(fresh)
        self.flush_due()

    def flush_due(self) -> None:
        if self._size >= FLUSH_BYTES or (self._waiting and time.monotonic() - self._since >= FLUSH_SECONDS):
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        data, self._waiting, self._size = b"".join(self._waiting), [], 0
        self._host.log(STREAM, data, self.offset)
        self._stored = self.offset
