"""Pages that change something do it on behalf of the person who is signed in, and show a refusal as a message."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from policy import audit
from policy.actors import Actor
from policy.admin.base import ModelAdmin
from policy.errors import PolicyError


class ActingAdmin(ModelAdmin):
    """Saving and deleting go through policy; the views' own transaction is undone where policy refuses."""

    actions = None

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _or_message(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _or_message(request, super().delete_view, *args, **kwargs)


def actor_of(request: HttpRequest) -> Actor:
    return Actor.for_session(request.user, request.session)  # type: ignore[arg-type]


def _or_message(request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> HttpResponse:
    try:
        answer: HttpResponse = view(request, *args, **kwargs)
    except PolicyError as refusal:
        record_refusal(request, refusal)
        messages.error(request, refusal.message)
        return HttpResponseRedirect(request.get_full_path())
    return answer


def record_refusal(request: HttpRequest, refusal: PolicyError) -> None:
    with transaction.atomic():
        audit.append(
            f"refused.{refusal.code}",
            actor=actor_of(request),
            subject=request.path,
            reason=refusal.message,
            outcome="refused",
        )
