"""Small forms of the pages. They turn what was typed into values; what is allowed is said by policy and engine."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from policy.models.access import Role
from policy.tokens import LONGEST_NAME

CONTROL = {"class": "form-control"}
CODE = {"class": "form-control code-input", "spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
SELECT = {"class": "form-select"}


class PlainForm(forms.Form):
    """The server's own sentences instead of the browser's bubbles."""

    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class TokenForm(PlainForm):
    name = forms.CharField(
        label="What is it for?", max_length=LONGEST_NAME, widget=forms.TextInput(attrs={**CONTROL, "autocomplete": "off"})
    )
    days = forms.TypedChoiceField(
        label="Valid for",
        coerce=int,
        empty_value=0,
        required=False,
        choices=[(30, "30 days"), (90, "90 days"), (365, "1 year"), (0, "until revoked")],
        widget=forms.Select(attrs=SELECT),
        initial=90,
    )
    may_approve = forms.BooleanField(
        label="May decide approvals in my name",
        required=False,
        help_text="Only for a script that you answer for: its decisions count as yours.",
    )

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None


class MemberForm(PlainForm):
    username = forms.CharField(label="User name", max_length=150, widget=forms.TextInput(attrs=CONTROL))
    role = forms.ChoiceField(label="Role", choices=Role.choices, widget=forms.Select(attrs=SELECT))


class SecretForm(PlainForm):
    name = forms.CharField(label="Name", max_length=64, widget=forms.TextInput(attrs={**CODE, "placeholder": "NPM_TOKEN"}))
    value = forms.CharField(
        label="Value",
        strip=False,
        widget=forms.Textarea(attrs={**CODE, "rows": 2}),
        help_text="Stored encrypted, redacted from output, never shown again.",
    )


class FeatureForm(PlainForm):
    title = forms.CharField(label="Title", max_length=300, widget=forms.TextInput(attrs=CONTROL))
    slug = forms.CharField(
        label="Slug",
        max_length=200,
        widget=forms.TextInput(attrs={**CODE, "placeholder": "storm-warnings"}),
        help_text="Stands in the address. Documents whose front matter names it as feature_slug join this feature.",
    )
    description = forms.CharField(
        label="Description", required=False, max_length=2000, widget=forms.Textarea(attrs={**CONTROL, "rows": 3})
    )
