"""Why a request is refused before anything looks at what it asks."""

from __future__ import annotations

from typing import Any

from policy.errors import PolicyError


class WrongMediaType(PolicyError):
    """Send JSON, with the header Content-Type: application/json."""

    code = "unsupported_media_type"
    status = 415


class TooLarge(PolicyError):
    """The body is larger than this server takes."""

    code = "content_too_large"
    status = 413


class ContentGone(PolicyError):
    """The bytes of this artifact are not in the store any more, or not what was stored."""

    code = "content_gone"
    status = 410


class RunConflict(Exception):
    """Refused because of how things stand, told with the run's state and what it allows now."""

    def __init__(self, refusal: Exception, *, state: str, allowed_actions: list[str], **more: Any) -> None:
        super().__init__(str(refusal))
        self.code: str = getattr(refusal, "code", "conflict")
        self.state, self.allowed_actions, self.more = state, allowed_actions, more
