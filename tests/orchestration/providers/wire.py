"""A small HTTP server that plays a provider: real sockets, every request kept, faults in the order they were put in."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer; without a status it begins well and `keep` or `bytes` says where it ends."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    keep: int | None = None  # events sent before the connection ends
    bytes: int | None = None  # bytes sent before the connection ends
    silent: float = 0.0  # seconds of silence before the first byte
    hold: bool = False  # says nothing more where it would end, until the client goes
    drop: bool = False  # the connection ends without an answer
    raw: bytes | None = None  # sent as the stream, instead of the events


@dataclass(frozen=True)
class Stream:
    events: list[dict[str, Any]]
    named: bool = False  # with `event:` lines


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, play: FakeProvider) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.play = play

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what many tests are about."""


class FakeProvider:
    """Subclasses answer `reply(asked)` with a Stream, or (status, JSON)."""

    prefix = ""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()
        self.ended = threading.Event()
        self._server = Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{self.prefix}"

    def reply(self, asked: Asked) -> Stream | tuple[int, Any]:
        raise NotImplementedError

    def may_fail(self, asked: Asked) -> bool:
        """Whether a fault may be spent on this request: turns, not small questions."""
        return asked.method == "POST"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self._answer(json.loads(self.rfile.read(length) or b"{}"))

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def _answer(self, body: dict[str, Any]) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, url.path, query, headers, body)
        play = self.server.play
        play.asked.append(asked)
        fault = play.faults.popleft() if play.faults and play.may_fail(asked) else Fault()
        if fault.silent:
            play.ended.wait(fault.silent)
        if fault.drop:
            self._end()
        elif fault.status:
            self._json(fault.status, fault.body, fault.headers)
        else:
            self._send(play.reply(asked), fault)

    def _send(self, reply: Stream | tuple[int, Any], fault: Fault) -> None:
        if not isinstance(reply, Stream):
            return self._json(reply[0], reply[1], {})
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for piece in pieces(reply, fault):
            self.wfile.write(piece)
            self.wfile.flush()
        while fault.hold and not self.server.play.ended.is_set() and not self._client_went():
            time.sleep(0.02)
        return self._end()

    def _client_went(self) -> bool:
        self.connection.settimeout(0.02)
        try:
            return self.connection.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def _json(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _end(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


def pieces(stream: Stream, fault: Fault) -> Iterator[bytes]:
    if fault.raw is not None:
        yield fault.raw
        return
    left = fault.bytes
    for event in stream.events[: fault.keep]:
        data = encode(event, named=stream.named)
        if left is not None and len(data) > left:
            yield data[:left]
            return
        left = None if left is None else left - len(data)
        yield data


def encode(event: dict[str, Any], *, named: bool) -> bytes:
    head = f"event: {event['type']}\n" if named else ""
    return f"{head}data: {json.dumps(event)}\n\n".encode()
