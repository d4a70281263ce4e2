"""Static files, answered at the door: WhiteNoise's choice of file and headers, without a thread or a middleware."""

from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import Response

from ccdash.doors import Application, Receive, Scope, Send

METHODS = {"GET", "HEAD"}
SAFETY = [(b"x-content-type-options", b"nosniff"), (b"cross-origin-resource-policy", b"same-origin")]


class StaticFiles:
    def __init__(self, application: Application) -> None:
        self.application = application
        self.files: dict[str, Any] = WhiteNoiseMiddleware().files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        file = self.files.get(scope["path"]) if scope["method"] in METHODS else None
        if file is None:
            await self.application(scope, receive, send)
        else:
            await _answer(file.get_response(scope["method"], _environ(scope)), send)


async def _answer(response: Response, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": int(response.status), "headers": [*headers, *SAFETY]})
    await send({"type": "http.response.body", "body": _content(response)})


def _content(response: Response) -> bytes:
    """Read at once: the largest file is some hundred kilobytes, and the system has it in memory."""
    if response.file is None:
        return b""
    with response.file as file:
        content: bytes = file.read()
        return content


def _environ(scope: Scope) -> dict[str, str]:
    return {
        "HTTP_" + name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1")
        for name, value in scope["headers"]
    }
