"""What is turned away before Django sees it: bodies without measure, and sockets opened by other sites' pages.

A browser sends our cookies along with any site's socket, and sockets know no CSRF token: the Origin header alone
tells whose page it is. A missing one is refused too.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[Any]]


class BodyTooLarge(Exception):
    """The body of the request is larger than this server takes."""


class BodyLimit:
    """Counts what really arrives: a chunked request declares no length. `larger`: addresses that take more."""

    def __init__(self, application: Application, *, limit: int, larger: Mapping[str, int] | None = None) -> None:
        self.application = application
        self.limit = limit
        self.larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared, limit = _header(scope, b"content-length"), self._limit(scope["path"])
        try:
            _check(int(declared) if declared.isdigit() else 0, limit)
            await self.application(scope, _counted(receive, limit), send)
        except BodyTooLarge:
            await self._answer(send, limit)

    def _limit(self, path: str) -> int:
        return next((limit for start, limit in self.larger.items() if path.startswith(start)), self.limit)

    async def _answer(self, send: Send, limit: int) -> None:
        detail = f"The body may have at most {limit} bytes."
        kind = "urn:ccdash:problem:content_too_large"
        problem = {"type": kind, "title": "Content Too Large", "status": 413, "detail": detail}
        headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(problem).encode()})


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLarge


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        _check(seen, limit)
        return message

    return counted


class SameOrigin:
    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        welcome = _is_same_origin(_header(scope, b"origin"), _header(scope, b"host"))
        await (self.application if welcome else refuse_socket)(scope, receive, send)


async def refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": 4403})


def _is_same_origin(origin: str, host: str) -> bool:
    name, _ = split_domain_port(host)
    scheme = "https" if settings.HTTPS else "http"
    return validate_host(name, settings.ALLOWED_HOSTS) and origin.lower() == f"{scheme}://{host.lower()}"


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
