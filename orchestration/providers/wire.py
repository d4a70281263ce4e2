"""The HTTP client under both SDKs: no redirects, a limit to an answer's size, and a way to wake a blocked read."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

from . import reaching
from .base import ProviderError
from .config import ProviderConfig


class Wire:
    """One client with its open connections. `abort` may be called from any thread."""

    def __init__(self, config: ProviderConfig) -> None:
        import httpx2

        self._limit = config.max_response_bytes
        self._lock = threading.Lock()
        self._streams: list[Any] = []
        verify = _tls() if config.base_url.startswith("https") else False  # http has no certificate
        self.client = httpx2.Client(
            verify=verify,
            transport=reaching.transport(verify, config.reach) if config.reach else None,
            timeout=httpx2.Timeout(config.read_timeout, connect=config.connect_timeout),
            follow_redirects=False,
            event_hooks={"request": [self._watch], "response": [self._cap]},
        )

    def abort(self) -> None:
        """Shut the connections down: a thread that waits for bytes gets an end of file at once."""
        with self._lock:
            streams, self._streams = self._streams, []
        for stream in streams:
            with suppress(OSError, AttributeError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.abort()
        self.client.close()

    def _watch(self, request: Any) -> None:
        request.extensions = {**request.extensions, "trace": self._trace}

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                self._streams.append(info["return_value"])

    def _cap(self, response: Any) -> None:
        response.stream = _capped(response.stream, self._limit)


def _capped(stream: Any, limit: int) -> Any:
    import httpx2

    class Capped(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            seen = 0
            for chunk in stream:
                seen += len(chunk)
                if seen > limit:
                    raise ProviderError("garbage", f"The provider's answer is larger than {limit} bytes.")
                yield chunk

        def close(self) -> None:
            stream.close()

    return Capped()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificates costs more than a turn's own overhead."""
    import httpx2

    return httpx2.create_ssl_context()
