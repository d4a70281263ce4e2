"""A form that starts something carries a key, so that a doubled press starts it once.

The key is made with the form and tied to what was typed: the same form sent twice is one request, the same form with
other words in it is another.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from orchestration.api.idempotency import KeyReused, perform
from orchestration.api.rendering import Answer
from orchestration.engine import door
from orchestration.engine.errors import WrongState
from policy.errors import PolicyError
from workbench.views.asking import actor_of, go

FIELD = "form_key"
IGNORED = frozenset({FIELD, "csrfmiddlewaretoken"})


def new_key() -> str:
    return secrets.token_urlsafe(16)


def once(request: HttpRequest, effect: Callable[[], str]) -> HttpResponseBase:
    """Do it and go where `effect` says, or go where the same request went before."""
    said = sorted((name, values) for name, values in request.POST.lists() if name not in IGNORED)
    digest = hashlib.sha256(repr((request.path, said)).encode("utf-8", "replace")).hexdigest()
    key = request.POST.get(FIELD, "")[:100]
    if not key:
        return go(request, effect())
    answer = perform(
        actor_of(request),
        f"form:{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:32]}:{digest[:32]}",
        f"POST {request.path}",
        digest,
        lambda: Answer({"url": effect()}, 303),
    )
    return go(request, answer.data["url"])


def act_once(request: HttpRequest, run_id: uuid.UUID, given: Mapping[str, Any], deed: Callable[[], Any]) -> None:
    """An action upon a run. A second press of the same form changes nothing; a refusal leaves its record."""
    by = actor_of(request)

    def effect() -> Answer:
        deed()
        return Answer({})

    def keep_trace(refusal: Exception) -> None:
        if isinstance(refusal, (WrongState, PolicyError)) and not isinstance(refusal, KeyReused):
            door.record_refusal(run_id, by, refusal)

    form_key = request.POST.get(FIELD, "")[:64] or uuid.uuid4().hex
    perform(by, f"page-{form_key}", f"POST {request.path}", given, effect, refused=keep_trace)
