"""Slows down who guesses passwords: after some wrong ones, a pause for that name from there, and for that address.

The sign-in view asks before it looks at a password, and so does every form that asks for it once more. Counts live in
the cache: a restart forgets them, and a lock-out never outlives its pause, so that nobody can keep a colleague out for
long.
"""

from __future__ import annotations

import hashlib

from django.contrib.auth.models import User
from django.core.cache import cache

from policy.errors import TooManyTries

PAUSE_SECONDS = 300
TRIES_BY_NAME = 10
TRIES_BY_ADDRESS = 100


def is_paused(username: str, address: str) -> bool:
    tried = cache.get_many(list(_limits(username, address)))
    return any(tried.get(key, 0) >= limit for key, limit in _limits(username, address).items())


def note_failure(username: str, address: str) -> None:
    for key in _limits(username, address):
        cache.add(key, 0, PAUSE_SECONDS)
        try:
            cache.incr(key)
        except ValueError:  # it ran out between the two lines
            cache.set(key, 1, PAUSE_SECONDS)


def confirm(user: User, password: str, address: str) -> bool:
    """Whether this is the password of who is signed in already. A session that was taken over guesses no faster."""
    who = (user.get_username(), address)
    if is_paused(*who):
        raise TooManyTries
    is_right = user.is_active and user.check_password(password)
    (note_success if is_right else note_failure)(*who)
    return is_right


def note_success(username: str, address: str) -> None:
    cache.delete(next(iter(_limits(username, address))))


def _limits(username: str, address: str) -> dict[str, int]:
    return {_key("name", f"{username.lower()}\0{address}"): TRIES_BY_NAME, _key("address", address): TRIES_BY_ADDRESS}


def _key(kind: str, subject: str) -> str:
    return f"sign-in-{kind}-{hashlib.sha256(subject.encode('utf-8', 'replace')).hexdigest()[:32]}"
