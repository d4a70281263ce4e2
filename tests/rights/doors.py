"""Walks through doors as somebody, and says in one word how it ended. What was changed is undone after each walk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.http import HttpResponse

from tests.rights.table import FORBIDDEN, IN, NO_METHOD, NOT_FOUND, SIGN_IN

UNFILLED = (409, 422)
WORDS = {401: SIGN_IN, 403: FORBIDDEN, 404: NOT_FOUND, 405: NO_METHOD}


def word_of(response: HttpResponse) -> str:
    if "/accounts/login/?next=" in response.get("Location", ""):
        return SIGN_IN
    if response.status_code < 400 or response.status_code in UNFILLED:
        return IN
    return WORDS.get(response.status_code, str(response.status_code))


def filled(value: Any, names: dict[str, Any]) -> Any:
    """A body with the names of this world in it."""
    if isinstance(value, dict):
        return {key: filled(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, names) for part in value]
    return re.sub(r"\{(\w+)\}", lambda found: str(names[found[1]]), value) if isinstance(value, str) else value


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def shape_of(response: HttpResponse, names: Iterable[Any]) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, less what was asked for, which an answer may repeat, and the page's CSRF token."""
    body = re.sub(r'"X-CSRFToken": "\w+"|name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
    for name in sorted(map(str, names), key=len, reverse=True):
        body = body.replace(name, "NAME")
    headers = {name: value for name, value in response.items() if name not in ("Expires", "Content-Length")}
    return response.status_code, headers, body
