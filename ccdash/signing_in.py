"""Signing in and out. The moment at which a password was entered is kept: some decisions ask for a recent one."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from policy import actors, sign_in

PAUSED = "Too many wrong passwords. Wait five minutes, then try again."


def admin_door(request: HttpRequest) -> HttpResponse:
    """One door for everybody: the admin's own would know neither the pause after guessing nor the moment of sign-in."""
    if request.user.is_authenticated:
        raise PermissionDenied("These pages are for administrators.")
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


class SignIn(LoginView):
    redirect_authenticated_user = True

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        if sign_in.is_paused(*self._who()):
            form = self.form_class(self.request, initial={"username": self._who()[0]})
            return self.render_to_response(self.get_context_data(form=form, paused=PAUSED), status=429)
        return super().post(*args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_valid(form)
        actors.mark_signed_in(self.request.session)
        sign_in.note_success(*self._who())
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        sign_in.note_failure(*self._who())
        return super().form_invalid(form)

    def _who(self) -> tuple[str, str]:
        return self.request.POST.get("username", "")[:150], self.request.META.get("REMOTE_ADDR", "")
