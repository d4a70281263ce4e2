"""What every page shows around its content: where one is, and how much waits. A context processor."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import cached_property

from policy import inbox
from policy.actors import Actor

SECTIONS = {"approvals": "approvals", "projects": "projects", "account": "account"}


class Navigation:
    """Worked out only where a template asks, once for each request."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def section(self) -> str:
        first = self._request.path.strip("/").split("/")[0]
        return SECTIONS.get(first, "" if first else "home")

    @cached_property
    def approvals_waiting(self) -> int:
        by = Actor.for_session(self._request.user, self._request.session)  # type: ignore[arg-type]
        return inbox.count_waiting_for(by)


def navigation(request: HttpRequest) -> dict[str, Any]:
    return {"nav": Navigation(request)}
