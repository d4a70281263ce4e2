"""What people type when they act on a run: reason, evidence, outputs, how a step ended, a new plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from orchestration import plan_text
from workbench.forms import CODE, CONTROL, SELECT, PlainForm

PREFIX = "output_"
WHY = {"rows": 2, "placeholder": "Why; it goes into the audit log."}
FIRST = {"required": True, "autofocus": True}


class ReasonForm(PlainForm):
    reason = forms.CharField(
        label="Reason",
        max_length=4000,
        widget=forms.Textarea(attrs={**CONTROL, **WHY, **FIRST}),
    )

    def more(self) -> dict[str, Any]:
        """What the action needs beside the reason."""
        return {}


class RetryForm(ReasonForm):
    restore_workspace = forms.BooleanField(
        label="Restore the workspace first",
        required=False,
        help_text="Files go back to how they were before the step's last attempt, or where they changed from outside, "
        "to how the run's last step left them. What changed since is lost.",
    )

    def more(self) -> dict[str, Any]:
        return {"restore_workspace": self.cleaned_data["restore_workspace"]}


class OutputsForm(ReasonForm):
    """With a field for each output that the step promises, so that later steps find what they read."""

    evidence = forms.CharField(
        label="Evidence",
        required=False,
        max_length=4000,
        help_text="What was done instead or what you saw: a link, a commit, a ticket.",
        widget=forms.TextInput(attrs=CONTROL),
    )

    def __init__(
        self, *args: Any, promised: tuple[str, ...] = (), readers: Mapping[str, list[str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        for name in promised:
            read_by = ", ".join((readers or {}).get(name, ()))
            self.fields[f"{PREFIX}{name}"] = forms.CharField(
                label=f"Output {name}",
                required=False,
                max_length=10_000,
                widget=forms.TextInput(attrs=CODE),
                help_text=f"Read by {read_by}: without a value here that will fail." if read_by else "",
            )

    def more(self) -> dict[str, Any]:
        values: Mapping[str, str] = self.cleaned_data
        given = {name.removeprefix(PREFIX): text for name, text in values.items() if name.startswith(PREFIX) and text}
        return {"evidence": values["evidence"], "outputs": given}


class ResolveForm(OutputsForm):
    outcome = forms.ChoiceField(
        label="It ended",
        choices=[
            ("", "Choose"),
            ("succeeded", "well: what it should do is done"),
            ("failed", "badly: it counts as failed"),
        ],
        widget=forms.Select(attrs=SELECT),
    )
    field_order = ("outcome", "reason", "evidence")

    def more(self) -> dict[str, Any]:
        return {**super().more(), "outcome": self.cleaned_data["outcome"]}


class ReplanForm(ReasonForm):
    steps = forms.CharField(
        label="Steps",
        max_length=1_000_000,
        strip=False,
        help_text="As in the builder's text view: steps that have not started. They replace the present ones.",
        widget=forms.Textarea(attrs={**CODE, "rows": 20, "wrap": "off"}),
    )
    reason = forms.CharField(label="Reason", max_length=4000, widget=forms.Textarea(attrs={**CONTROL, **WHY}))
    field_order = ("steps", "reason")

    def clean_steps(self) -> list[Any]:
        try:
            found = plan_text.read_plan(self.cleaned_data["steps"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        steps = found.get("steps") if isinstance(found, dict) else found
        if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
            raise forms.ValidationError("Give the steps as a list under `steps:`, each with its fields.")
        return steps

    def more(self) -> dict[str, Any]:
        return {"steps": self.cleaned_data["steps"]}
