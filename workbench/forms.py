"""Small forms of the pages. They turn what was typed into values; what is allowed is said by policy and engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.utils import timezone

from orchestration.models import Feature
from policy import sign_in
from policy.models.access import Role
from policy.tokens import LONGEST_NAME
from workbench.builder.kinds import read_number

CONTROL = {"class": "form-control"}
CODE = {"class": "form-control code-input", "spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
SELECT = {"class": "form-select"}


class PlainForm(forms.Form):
    """The server's own sentences instead of the browser's bubbles."""

    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class OwnPasswordForm(PasswordChangeForm):
    """Guesses at the old password are counted like those at the sign-in."""

    def __init__(self, *args: Any, address: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = address

    def clean_old_password(self) -> str:
        typed: str = self.cleaned_data["old_password"]
        if not sign_in.confirm(self.user, typed, self.address):
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return typed


class TokenForm(PlainForm):
    name = forms.CharField(
        label="What is it for?",
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={**CONTROL, "autocomplete": "off"}),
    )
    days = forms.TypedChoiceField(
        label="Valid for",
        coerce=int,
        empty_value=None,
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


class Unseen(forms.Textarea):
    """What was typed is never sent back, not even after a mistake elsewhere in the form."""

    def format_value(self, value: Any) -> None:
        return None


class SecretForm(PlainForm):
    name = forms.CharField(
        label="Name", max_length=64, widget=forms.TextInput(attrs={**CODE, "placeholder": "NPM_TOKEN"})
    )
    value = forms.CharField(
        label="Value",
        strip=False,
        widget=Unseen(attrs={**CODE, "rows": 2}),
        help_text="Stored encrypted, redacted from output, never shown again.",
    )


class ProfileForm(PlainForm):
    name = forms.CharField(label="Name", max_length=64, widget=forms.TextInput(attrs={**CODE, "placeholder": "ci"}))
    env = forms.CharField(
        label="Variables",
        required=False,
        strip=False,
        max_length=1_000_000,
        widget=forms.Textarea(attrs={**CODE, "rows": 5, "placeholder": "CI=1"}),
        help_text="One NAME=value a line. Everybody in the project can read them.",
    )
    secrets = forms.CharField(
        label="Secrets",
        required=False,
        max_length=10_000,
        widget=forms.TextInput(attrs={**CODE, "placeholder": "NPM_TOKEN"}),
        help_text="Names of the project's secrets that a step with this profile is given.",
    )

    def clean_env(self) -> dict[str, str]:
        lines = [line for line in self.cleaned_data["env"].splitlines() if line.strip()]
        if wrong := next((line for line in lines if "=" not in line), None):
            raise forms.ValidationError(f"{wrong[:80]!r} is not NAME=value.")
        pairs = (line.split("=", 1) for line in lines)
        return {name.strip(): value for name, value in pairs}

    def clean_secrets(self) -> list[str]:
        return str(self.cleaned_data["secrets"]).replace(",", " ").split()


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


class ImportForm(PlainForm):
    file = forms.FileField(
        label="A file", required=False, widget=forms.FileInput(attrs={**CONTROL, "accept": ".yaml,.yml,.json"})
    )
    text = forms.CharField(
        label="Or its text", required=False, strip=False, widget=forms.Textarea(attrs={**CODE, "rows": 14})
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not given.get("file") and not (given.get("text") or "").strip():
            self.add_error("text", "Choose a file, or paste the plan's text.")
        return given

    def plan_text(self) -> str:
        file = self.cleaned_data.get("file")
        return file.read().decode("utf-8", "replace") if file else str(self.cleaned_data["text"])


class DraftForm(PlainForm):
    path = forms.ChoiceField(label="Document", required=False, widget=forms.Select(attrs=SELECT))
    provider = forms.ChoiceField(label="Agents by", widget=forms.Select(attrs=SELECT), initial="simulated")

    def __init__(self, *args: Any, feature: Feature, providers: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = feature.documents.order_by("path").values_list("path", "doc_type", "title")
        ranked = sorted(found, key=lambda row: row[1] != "implementation_plan")
        documents = [(path, f"{title} ({kind.replace('_', ' ')})") for path, kind, title in ranked]
        self.fields["path"].choices = [("", "the implementation plan"), *documents]  # type: ignore[attr-defined]
        self.fields["provider"].choices = [(name, name) for name in providers]  # type: ignore[attr-defined]


class LaunchForm(PlainForm):
    """The inputs that a plan asks for. What fits is said by the engine; here texts become values."""

    YES_NO = (("", "–"), ("true", "yes"), ("false", "no"))

    def __init__(self, *args: Any, inputs: Mapping[str, Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.inputs = inputs
        for name, spec in inputs.items():
            self.fields[f"input-{name}"] = self._field(name, spec)

    def _field(self, name: str, spec: Mapping[str, Any]) -> forms.Field:
        default = spec.get("default")
        shown = str(default).lower() if isinstance(default, bool) else default
        common = {"label": name, "help_text": spec.get("description", ""), "initial": shown, "required": False}
        if spec.get("type") == "boolean":
            field: forms.Field = forms.ChoiceField(choices=self.YES_NO, widget=forms.Select(attrs=SELECT), **common)
        else:
            numeric = {"inputmode": "decimal"} if spec.get("type") == "number" else {}
            field = forms.CharField(strip=False, widget=forms.TextInput(attrs={**CONTROL, **numeric}), **common)
        field.is_optional = not spec.get("required")  # type: ignore[attr-defined]
        return field

    def values(self) -> dict[str, Any]:
        """What was typed; what was left empty is left to the plan's default."""
        typed = {name: self.cleaned_data.get(f"input-{name}", "") for name in self.inputs}
        return {name: self._value(name, text) for name, text in typed.items() if text != ""}

    def _value(self, name: str, text: str) -> Any:
        kind = self.inputs[name].get("type", "string")
        if kind == "boolean":
            return text == "true"
        return read_number(text) if kind == "number" else text

    def tell(self, errors: Iterable[Mapping[str, str]]) -> None:
        for error in errors:
            field = f"input-{error['path'].removeprefix('inputs.')}"
            self.add_error(field if field in self.fields else None, error["message"])
