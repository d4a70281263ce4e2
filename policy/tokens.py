"""A script's way in: tokens that are shown once and kept as a hash. API and account page call this."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from policy import audit
from policy.actors import Actor
from policy.errors import Invalid, NotVisible
from policy.models import ApiToken

MARK = "ccd_"
PREFIX_LENGTH = 12
LONGEST_NAME = 100
NOTED_EVERY = timedelta(minutes=1)


def create(
    user: User,
    *,
    name: str = "",
    may_approve: bool = False,
    expires_at: datetime | None = None,
    by: Actor | None = None,
) -> tuple[ApiToken, str]:
    """The token's row and its text, which nobody can read again. A token for decisions is the person's own risk."""
    if not user.is_active:
        raise Invalid("This person is deactivated, so no token can be issued.")
    if len(name) > LONGEST_NAME:
        raise Invalid(f"A token's name has at most {LONGEST_NAME} characters.")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("A token must expire in the future.")
    raw = MARK + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user,
            name=name,
            prefix=raw[:PREFIX_LENGTH],
            token_hash=_hash(raw),
            may_approve=may_approve,
            expires_at=expires_at,
        )
        audit.append(
            "token.created", actor=by or Actor.for_command(user), subject=_subject(token), after=_described(token)
        )
    return token, raw


def revoke(token: ApiToken, *, by: Actor) -> None:
    """Owners revoke their own, superusers anybody's. A second press changes nothing."""
    if by.user_id != token.user_id and not by.is_superuser and not by.owns_installation:
        raise NotVisible
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.append("token.revoked", actor=by, subject=_subject(token), before=_described(token))
    token.refresh_from_db()


def authenticate(raw: str) -> ApiToken | None:
    """The live token of an active person, or None. One look-up by hash; the use is noted once a minute."""
    now = timezone.now()
    live = ApiToken.objects.select_related("user").filter(
        Q(expires_at=None) | Q(expires_at__gt=now), token_hash=_hash(raw), revoked_at=None, user__is_active=True
    )
    token = live.first() if raw.startswith(MARK) else None
    if token:
        _note_use(token, now)
    return token


def _note_use(token: ApiToken, now: datetime) -> None:
    stale = now - NOTED_EVERY
    if token.last_used_at and token.last_used_at > stale:
        return
    unnoted = ApiToken.objects.filter(Q(last_used_at=None) | Q(last_used_at__lte=stale), pk=token.pk)
    unnoted.update(last_used_at=now)
    token.last_used_at = now


def _hash(raw: str) -> str:
    # 256 random bits need no slow hash, and an exact look-up tells nothing by its time.
    return hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest()


def _subject(token: ApiToken) -> str:
    return f"token:{token.prefix}"


def _described(token: ApiToken) -> dict[str, object]:
    return {
        "user": token.user.get_username(),
        "user_id": token.user_id,
        "name": token.name,
        "may_approve": token.may_approve,
        "expires_at": token.expires_at,
    }
