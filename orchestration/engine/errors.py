"""Why the engine refuses. Each message is a sentence fit for a person.

"Not allowed" (403) comes from policy; what stands here is about state (409) and sight (404).
"""

from __future__ import annotations

from collections.abc import Sequence


class EngineError(Exception):
    """Something asked of the engine can't be done."""

    code = "engine_error"


class NotFound(EngineError):
    """There is no such thing here, or you may not see it."""

    code = "not_found"


class WrongState(EngineError):
    """The present state does not allow this."""

    code = "wrong_state"

    def __init__(self, message: str, *, state: str, allowed_actions: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.state, self.allowed_actions = state, list(allowed_actions)


class Changed(WrongState):
    """What you looked at has changed since; look again."""

    code = "changed"


class Unlaunchable(EngineError):
    """The run can't be started as it is."""

    code = "unlaunchable"

    def __init__(self, message: str, *, code: str = "unlaunchable") -> None:
        super().__init__(message)
        self.code = code


class InvalidInput(EngineError):
    """A value given with the action can't be used."""

    code = "invalid_input"

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(message for _, message in errors))
        self.errors = [{"path": path, "message": message} for path, message in errors]


class Unfilled(Exception):
    """A value that a step needs is not there."""


class Busy(EngineError):
    """The database is busy; nothing was changed. Try again in a moment."""

    code = "busy"


BUSY = "The database is busy; nothing was changed. Try again in a moment."
FULL = "The disk is full; nothing was changed. Make room where the data lies, then try again."


def why_not_written(error: BaseException | None) -> str:
    """What people are told where the database did not take a change."""
    told = str(error).lower()
    return FULL if "disk is full" in told or "no space left" in told else BUSY


class LostAttempt(EngineError):
    """Another worker owns this attempt now, or it is over; the late word changes nothing."""

    code = "lost_attempt"
