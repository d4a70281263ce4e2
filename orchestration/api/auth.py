"""Who asks: a bearer token, or a signed-in browser with its CSRF token. A request with a token is nobody else's.

Answers an Actor, which carries no right by itself.
"""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from policy import tokens
from policy.actors import Actor
from policy.errors import NotAllowed

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


class CsrfFailed(NotAllowed):
    """The CSRF token is missing or wrong; send the one of the page as X-CSRFToken."""

    code = "csrf_failed"


class Bearer(HttpBearer):
    """`Authorization: Bearer TOKEN`; cookies are not looked at."""

    openapi_description = "A token made by `manage.py create_api_token`."

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        found = tokens.authenticate(token.strip())
        return Actor.for_token(found) if found else None


class SignedIn(APIKeyCookie):
    """The web session. What changes something needs the CSRF token as well."""

    param_name = settings.SESSION_COOKIE_NAME
    openapi_description = "The web session; a POST also needs the header `X-CSRFToken`."

    def __call__(self, request: HttpRequest) -> Actor | None:
        return None if "Authorization" in request.headers else self.authenticate(request, None)

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        if not request.user.is_authenticated:
            return None
        if request.method not in SAFE and check_csrf(request):
            raise CsrfFailed
        return Actor.for_session(request.user, request.session)


def asker(request: HttpRequest) -> Actor:
    return cast(Actor, request.auth)  # type: ignore[attr-defined]
