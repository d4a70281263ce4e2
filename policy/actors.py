"""Who asks. Every change is made on behalf of one actor, and the audit log names it.

An actor is a value: it is made at the edge (page, API, command, worker) and handed down. It carries no right by
itself; rights are read from the database when they are needed.
"""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from policy.models import ApiToken
from policy.models.audit import ActorKind

SIGNED_IN_AT = "signed_in_at"


@dataclass(frozen=True)
class Actor:
    name: str
    id: str
    kind: str
    credential: str = ""
    may_approve: bool = False
    authenticated_at: datetime | None = None
    user_id: int | None = None
    is_superuser: bool = False

    @classmethod
    def system(cls, name: str) -> Actor:
        """A part of the product that acts by itself. It decides nothing."""
        return cls(name=name, id="", kind=ActorKind.SYSTEM)

    @classmethod
    def for_shell(cls) -> Actor:
        """Whoever runs a management command without naming a person: the owner of the installation."""
        return cls(name=f"shell:{_login_name()}"[:150], id="", kind=ActorKind.COMMAND)

    @classmethod
    def for_command(cls, user: User, authenticated_at: datetime | None = None) -> Actor:
        """A management command on behalf of a person, who counts as signed in when they last did so."""
        return _person(
            user, ActorKind.COMMAND, may_approve=True, authenticated_at=authenticated_at or _aware(user.last_login)
        )

    @classmethod
    def for_session(cls, user: User, session: Mapping[str, Any]) -> Actor:
        """A person at a page. The time of the sign-in is the session's own, never another session's."""
        key = str(getattr(session, "session_key", "") or "")
        credential = f"session:{hashlib.sha256(key.encode()).hexdigest()[:16]}" if key else ""
        return _person(
            user, ActorKind.HUMAN, credential, may_approve=True, authenticated_at=_moment(session.get(SIGNED_IN_AT))
        )

    @classmethod
    def for_token(cls, token: ApiToken) -> Actor:
        """A script with a person's token; it decides only where the token was issued for that."""
        return _person(
            token.user,
            ActorKind.TOKEN,
            token.prefix,
            may_approve=token.may_approve,
            authenticated_at=_aware(token.user.last_login),
        )

    @property
    def owns_installation(self) -> bool:
        return self.kind == ActorKind.COMMAND and self.user_id is None


def mark_signed_in(session: MutableMapping[str, Any], now: datetime | None = None) -> None:
    """Call where a password was just entered and found right: at sign-in and when it is asked for again."""
    session[SIGNED_IN_AT] = (now or timezone.now()).isoformat()


def _person(user: User, kind: str, credential: str = "", **more: Any) -> Actor:
    return Actor(
        name=user.get_username(),
        id=str(user.pk),
        kind=kind,
        credential=credential,
        user_id=user.pk,
        is_superuser=user.is_superuser,
        **more,
    )


def _moment(text: object) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(str(text))) if text else None
    except ValueError:
        return None


def _aware(moment: datetime | None) -> datetime | None:
    return timezone.make_aware(moment) if moment is not None and timezone.is_naive(moment) else moment


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "unknown"
