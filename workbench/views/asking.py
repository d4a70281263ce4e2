"""Who asks for a page, and the rules that hold for every page: signed in, the right method, nothing kept by caches.

Views ask engine and policy on behalf of `actor_of(request)`; no view knows a rule of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django_htmx.http import HttpResponseClientRedirect

from policy.actors import Actor

View = Callable[..., HttpResponseBase]


def actor_of(request: HttpRequest) -> Actor:
    return Actor.for_session(request.user, request.session)  # type: ignore[arg-type]


def person(request: HttpRequest) -> User:
    """Views behind `page` are for people who are signed in."""
    assert isinstance(request.user, User)  # noqa: S101
    return request.user


def page(*methods: str) -> Callable[[View], View]:
    """A view for people who are signed in, by these methods; GET where none is named."""
    allowed = methods or ("GET",)

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return to_sign_in(request)
            if request.method not in allowed and not (request.method == "HEAD" and "GET" in allowed):
                return HttpResponseNotAllowed(allowed)
            response = view(request, *args, **kwargs)
            add_never_cache_headers(response)
            return response

        return guarded

    return decorate


def to_sign_in(request: HttpRequest) -> HttpResponse:
    from django.contrib.auth.views import redirect_to_login

    back = request.get_full_path() if request.method == "GET" and not is_fragment(request) else "/"
    answer = redirect_to_login(back, settings.LOGIN_URL)
    return HttpResponseClientRedirect(answer.url) if is_fragment(request) else answer


def is_fragment(request: HttpRequest) -> bool:
    """Whether HTMX asks, so that a part of a page is the answer."""
    return bool(getattr(request, "htmx", False))


def posted(request: HttpRequest) -> QueryDict | None:
    """For forms: what was sent, however little; nothing while one only looks."""
    return request.POST if request.method == "POST" else None


def show(request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    return render(request, template, dict(context), status=status)


def go(request: HttpRequest, url: str) -> HttpResponse:
    """The page after something was done: 303 for browsers, the same for HTMX."""
    return HttpResponseClientRedirect(url) if is_fragment(request) else SeeOther(url)


class SeeOther(HttpResponseRedirect):
    status_code = 303
