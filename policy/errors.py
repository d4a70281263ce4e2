"""What policy refuses with. Each class carries the status of its answer, a code for programs and a sentence.

"Not allowed" (403) and "wrong state" (409) are different classes; strangers get 404, as if nothing were there.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PolicyError(Exception):
    """This is not possible."""

    code: ClassVar[str] = "policy_error"
    status: ClassVar[int] = 400

    def __init__(self, message: str = "", **details: Any) -> None:
        self.message = message or (self.__doc__ or "").strip().partition("\n")[0]
        self.details = details
        super().__init__(self.message)


class NotVisible(PolicyError):
    """There is nothing here that you may see."""

    code = "not_found"
    status = 404


class NotAllowed(PolicyError):
    """Your role in this project does not allow this."""

    code = "not_allowed"
    status = 403


class SelfApproval(NotAllowed):
    """You asked for this, so somebody else has to decide it."""

    code = "self_approval"


class NotAnApprover(NotAllowed):
    """You are not among those who may decide this."""

    code = "not_an_approver"


class HumanPresenceRequired(NotAllowed):
    """Only a person may decide; this credential was not issued for decisions."""

    code = "human_presence_required"


class RecentSignInRequired(NotAllowed):
    """This decision needs a sign-in within the last 15 minutes; enter your password again."""

    code = "recent_sign_in_required"


class TooManyTries(PolicyError):
    """Too many wrong passwords. Wait five minutes, then try again."""

    code = "too_many_tries"
    status = 429


class Conflict(PolicyError):
    """The present state does not allow this."""

    code = "conflict"
    status = 409


class NotPending(Conflict):
    """This is no longer waiting for a decision."""

    code = "not_pending"


class AlreadyDecided(Conflict):
    """You have decided this already; one person counts once."""

    code = "already_decided"


class StaleDigest(Conflict):
    """What you were shown has changed since; look again before you decide."""

    code = "stale_digest"


class Invalid(PolicyError):
    """A value is not usable."""

    code = "invalid"
    status = 422


class ReasonRequired(Invalid):
    """A decision needs a reason."""

    code = "reason_required"


class SecretMissing(PolicyError):
    """A secret that is named here does not exist."""

    code = "secret_missing"
    status = 422


class SecretUnreadable(PolicyError):
    """A stored secret can't be decrypted with the present keys; set it again."""

    code = "secret_unreadable"
    status = 500


class AuditError(PolicyError):
    """The audit log can't be written, so nothing may change."""

    code = "audit_error"
    status = 503
