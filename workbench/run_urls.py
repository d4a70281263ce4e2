"""Where runs, decisions, artifacts and reports are found. The live channel's address is here, too."""

from typing import Any

urlpatterns: list[Any] = []
websocket_urlpatterns: list[Any] = []
