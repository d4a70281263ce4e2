"""Pages and sockets, one list per resource."""

from typing import Any

from workbench.run_urls import urlpatterns as run_urls
from workbench.run_urls import websocket_urlpatterns

__all__ = ["urlpatterns", "websocket_urlpatterns"]

urlpatterns: list[Any] = [*run_urls]
