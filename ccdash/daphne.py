"""Daphne as we run it: quiet, on the address of the settings, ended by SIGINT or SIGTERM."""

import asyncio
from collections.abc import Callable
from typing import Any

from channels.routing import get_default_application
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.defer import Deferred

# A page says little over its socket; more is not even read into memory.
LARGEST_MESSAGE = 16 * 1024
COME_AGAIN = 1013


def serve(*, host: str, port: int, on_ready: Callable[[], None]) -> bool:
    """Serve until a signal comes. False where the address could not be listened on."""
    server = server_on(host=host, port=port, ready_callable=on_ready)
    server.run()
    return not server.abort_start


def server_on(*, host: str, port: int, **options: Any) -> "PatientServer":
    return PatientServer(
        get_default_application(),
        endpoints=build_endpoint_description_strings(host=host, port=port),
        server_name="ccdash",
        websocket_max_message_size=LARGEST_MESSAGE,
        websocket_max_frame_size=LARGEST_MESSAGE,
        verbosity=0,
        **options,
    )


class Channel(WebSocketProtocol):  # type: ignore[misc]
    """Autobahn is stricter with us than its limits are meant for: they are for what comes in."""

    maxMessagePayloadSize: int  # noqa: N815

    def sendMessage(self, *arguments: Any, **options: Any) -> None:  # noqa: N802
        limit, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().sendMessage(*arguments, **options)
        finally:
            self.maxMessagePayloadSize = limit

    def sendClose(self, code: int | None = None, reason: str | None = None) -> None:  # noqa: N802
        """A server may say "come again", too, which Autobahn holds to be a code for itself alone."""
        if code == COME_AGAIN:
            self.sendCloseFrame(code=code, isReply=False)
        else:
            super().sendClose(code, reason)


class PatientServer(Server):  # type: ignore[misc]
    """At the end Daphne's own trips over a connection whose application has already finished."""

    def listen_success(self, port: Any) -> None:
        self.ws_factory.protocol = Channel
        super().listen_success(port)

    def kill_all_applications(self) -> "Deferred[Any]":
        instances = [details.get("application_instance") for details in self.connections.values()]
        open_ones = [instance for instance in instances if instance is not None and not instance.done()]
        for instance in open_ones:
            instance.cancel()
        ended: Deferred[Any] = Deferred.fromFuture(asyncio.gather(*open_ones, return_exceptions=True))
        ended.addErrback(lambda failure: None)
        return ended
