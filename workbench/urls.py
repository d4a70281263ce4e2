"""Pages and sockets, one list per resource."""

from typing import Any

urlpatterns: list[Any] = []
websocket_urlpatterns: list[Any] = []
