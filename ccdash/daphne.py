"""Daphne as we run it: quiet, on the address of the settings, ended by SIGINT or SIGTERM."""

import asyncio
from collections.abc import Callable
from typing import Any

from channels.routing import get_default_application
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from twisted.internet.defer import Deferred

# A page says little over its socket; more is not even read into memory.
LARGEST_MESSAGE = 16 * 1024


def serve(*, host: str, port: int, on_ready: Callable[[], None]) -> bool:
    """Serve until a signal comes. False where the address could not be listened on."""
    server = PatientServer(
        get_default_application(),
        endpoints=build_endpoint_description_strings(host=host, port=port),
        ready_callable=on_ready,
        server_name="ccdash",
        websocket_max_message_size=LARGEST_MESSAGE,
        websocket_max_frame_size=LARGEST_MESSAGE,
        verbosity=0,
    )
    server.run()
    return not server.abort_start


class PatientServer(Server):  # type: ignore[misc]
    """At the end Daphne's own trips over a connection whose application has already finished."""

    def kill_all_applications(self) -> "Deferred[Any]":
        instances = [details.get("application_instance") for details in self.connections.values()]
        open_ones = [instance for instance in instances if instance is not None and not instance.done()]
        for instance in open_ones:
            instance.cancel()
        ended: Deferred[Any] = Deferred.fromFuture(asyncio.gather(*open_ones, return_exceptions=True))
        ended.addErrback(lambda failure: None)
        return ended
