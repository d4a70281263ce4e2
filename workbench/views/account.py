"""Somebody's own account: API tokens, roles, password."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse

from policy import actors, people, secrets, tokens
from policy.models import ApiToken, Membership
from policy.models.access import Role
from workbench.forms import OwnPasswordForm, TokenForm
from workbench.views.asking import actor_of, go, page, person, posted, show

FRESH = "fresh_token"


@page()
def account(request: HttpRequest) -> HttpResponseBase:
    return _account(request, TokenForm())


@page("POST")
def make_token(request: HttpRequest) -> HttpResponseBase:
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _account(request, form, status=422)
    _, raw = tokens.create(
        person(request),
        name=form.cleaned_data["name"],
        may_approve=form.cleaned_data["may_approve"],
        expires_at=form.expires_at(),
        by=actor_of(request),
    )
    # Handed over by the session for one showing: a reload must neither make another nor show it again.
    # The session lies in the database, so it gets no text that anybody could use who reads it there.
    request.session[FRESH] = secrets.encrypt(raw, context=FRESH).decode()
    return go(request, reverse("account"))


@page("POST")
def revoke_token(request: HttpRequest, pk: int) -> HttpResponseBase:
    token = get_object_or_404(ApiToken, pk=pk, user=person(request))
    tokens.revoke(token, by=actor_of(request))
    messages.success(request, f"The token {token.prefix}… is revoked.")
    return go(request, reverse("account"))


@page("GET", "POST")
def change_password(request: HttpRequest) -> HttpResponseBase:
    form = OwnPasswordForm(person(request), posted(request), address=request.META.get("REMOTE_ADDR", ""))
    for field in form.fields.values():
        field.widget.attrs["class"] = "form-control"
    if request.method == "POST" and form.is_valid():
        people.change_password(form.user, form.cleaned_data["new_password1"], by=actor_of(request))
        update_session_auth_hash(request, form.user)
        actors.mark_signed_in(request.session)
        messages.success(request, "The password is changed. Other sessions of yours are signed out.")
        return go(request, reverse("account"))
    context = {
        "page_title": "Change the password",
        "trail": [{"label": "Account", "url": reverse("account")}, {"label": "Password"}],
        "form": form,
        "url": reverse("password"),
        "verb": "Change the password",
        "cancel_url": reverse("account"),
    }
    return show(request, "workbench/form_page.html", context, status=422 if form.errors else 200)


def _account(request: HttpRequest, form: TokenForm, *, status: int = 200) -> HttpResponseBase:
    user = person(request)
    context = {
        "account": {
            "name": user.get_full_name() or user.get_username(),
            "email": user.email,
            "memberships": _memberships(user),
            "is_superuser": user.is_superuser,
        },
        "tokens": [_token(token) for token in ApiToken.objects.filter(user=user)],
        "fresh_token": _fresh(request) if status == 200 else "",
        "token_form": form,
        "token_url": reverse("tokens"),
        "password_url": reverse("password"),
    }
    return show(request, "workbench/account.html", context, status=status)


def _fresh(request: HttpRequest) -> str:
    sealed = request.session.pop(FRESH, "")
    return secrets.decrypt(sealed.encode(), context=FRESH) if sealed else ""


def _memberships(user: User) -> list[dict[str, Any]]:
    held = Membership.objects.filter(user=user).select_related("project").order_by("project__name")
    return [
        {
            "project": membership.project.name,
            "url": reverse("project", args=[membership.project.slug]),
            "role": Role(membership.role).label,
        }
        for membership in held
    ]


def _token(token: ApiToken) -> dict[str, Any]:
    names = ("pk", "name", "prefix", "may_approve", "created_at", "expires_at", "last_used_at", "revoked_at")
    shown = {name: getattr(token, name) for name in names}
    return {**shown, "revoke_url": reverse("token-revocation", args=[token.pk])}
