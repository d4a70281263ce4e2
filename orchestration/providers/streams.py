"""The events of a stream that an SDK opened, as plain data.

The SDKs would build an object of every event: that costs more than the rest of a turn, and knows no event of tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .base import ProviderError
from .faults import named, translate

MAX_EVENT_BYTES = 32 * 1024 * 1024


def events(stream: Any, secret: str) -> Iterator[dict[str, Any]]:
    """Every event in order; an error that the provider reports in the stream is raised like any other fault."""
    import httpx2

    source = iter(httpx2.EventSource(stream.response, MAX_EVENT_BYTES))
    while True:
        try:
            event = next(source)
            if event.data.startswith("[DONE]"):
                return
            data = json.loads(event.data) if event.data else {}
            if event.event and isinstance(data, dict):
                data.setdefault("type", event.event)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - a hostile stream may raise anything
            raise translate(error, secret) from None
        if not isinstance(data, dict):
            raise ProviderError("garbage", "The provider sent an event that is no object.", retryable=True)
        if data.get("type") == "error" or (data.get("error") and isinstance(data["error"], dict | str)):
            raise _reported(data, secret)
        yield data


def unstreamed(stream: Any) -> dict[str, Any] | None:
    """The whole answer of a server that does not stream; None where it does."""
    if "event-stream" in stream.response.headers.get("content-type", ""):
        return None
    whole = json.loads(stream.response.read())
    if not isinstance(whole, dict):
        raise TypeError("no JSON object")
    return whole


def _reported(data: dict[str, Any], secret: str) -> ProviderError:
    if isinstance(data.get("error"), str):
        return named("", data["error"], secret)
    said = data["error"] if isinstance(data.get("error"), dict) else data
    name = said.get("code") or (said.get("type") if said is not data else "")
    return named(str(name or ""), str(said.get("message") or ""), secret)
