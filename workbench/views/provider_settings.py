"""How a project reaches one provider: a form that never shows the key, and a button that tries the connection."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from orchestration import provider_settings
from orchestration.providers import PROVIDERS
from policy.access import Permission
from policy.errors import Invalid
from workbench.forms import CONTROL, PlainForm
from workbench.views.asking import go, page, posted, show
from workbench.views.projects import Place, place_of


class ProviderForm(PlainForm):
    base_url = forms.CharField(
        label="Address", required=False, max_length=500, widget=forms.TextInput(attrs=CONTROL),
        help_text="Of a compatible server; empty for the provider's own. A new address needs its own key.",
    )  # fmt: skip
    model = forms.CharField(
        label="Model", required=False, max_length=100, widget=forms.TextInput(attrs=CONTROL),
        help_text="For steps that name none.",
    )  # fmt: skip
    key = forms.CharField(
        label="Key", required=False, max_length=4096, help_text="Empty keeps the stored key. It is never shown again.",
        widget=forms.PasswordInput(attrs={**CONTROL, "autocomplete": "off"}),
    )  # fmt: skip
    foreground = forms.BooleanField(
        label="Without background responses", required=False, help_text="For compatible servers that lack them."
    )


@page("GET", "POST")
def provider(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    place = place_of(request, slug, Permission.MANAGE)
    found = _health(place, name)
    initial = {"model": found.model, "foreground": found.foreground}
    initial["base_url"] = found.base_url if found.source == "project" else ""
    form = ProviderForm(posted(request), initial=initial)
    if request.method == "POST" and form.is_valid() and _stored(request, place, name, form):
        messages.success(request, f"{found.label} is set for this project.")
        return go(request, place.url("project-providers"))
    context = {
        "page_title": found.label,
        "lead": " ".join(found.problems) or f"Set by the {found.source}. Key: {found.key or 'none'}.",
        "trail": [
            {"label": "Projects", "url": reverse("projects")},
            {"label": place.project.name, "url": place.url("project")},
            {"label": "Providers", "url": place.url("project-providers")},
            {"label": found.label},
        ],
        "form": form,
        "url": place.url("project-provider", name),
        "verb": "Store",
        "cancel_url": place.url("project-providers"),
    }
    return show(request, "workbench/form_page.html", context, status=422 if form.errors else 200)


@page("POST")
def connection(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    """Ask the provider something cheap and say what came of it."""
    place = place_of(request, slug, Permission.MANAGE)
    label = _health(place, name).label
    if problems := provider_settings.test_connection(place.project, name, by=place.by):
        messages.error(request, f"{label}: {' '.join(problems)}")
    else:
        messages.success(request, f"{label} answers.")
    return go(request, place.url("project-providers"))


@page("POST")
def removal(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    place = place_of(request, slug, Permission.MANAGE)
    label = _health(place, name).label
    provider_settings.remove_provider(place.project, name, by=place.by)
    messages.success(request, f"{label}: the server's own settings count again.")
    return go(request, place.url("project-providers"))


def _health(place: Place, name: str) -> provider_settings.Health:
    if name not in PROVIDERS:
        raise Invalid(f"There is no provider {name!r}.")
    return provider_settings.health(place.project, name)


def _stored(request: HttpRequest, place: Place, name: str, form: ProviderForm) -> bool:
    given = form.cleaned_data
    try:
        is_keyless = provider_settings.set_provider(
            place.project, name, by=place.by, base_url=given["base_url"], model=given["model"],
            foreground=given["foreground"], key=given["key"] or None,
        )  # fmt: skip
    except Invalid as refusal:
        field = refusal.details.get("field", "base_url")
        form.add_error(field if field in form.fields else "base_url", refusal.message)
        return False
    if is_keyless:
        messages.warning(request, provider_settings.KEY_GONE)
    return True
