"""The form of a single run: one command or one agent call, as a plan of one step.

`plan_of` is what preview and launch both use, so that what was looked at is what runs.
"""

from __future__ import annotations

from typing import Any

from django import forms

from orchestration import plan_rules
from orchestration.engine import gates, launching, planning
from orchestration.models import Feature
from orchestration.providers import PROVIDERS
from orchestration.schema import InvalidPlan, Plan
from policy.models import Project, Secret
from workbench.forms import CODE, CONTROL, SELECT, PlainForm

LONGEST_TITLE = 80
TOOLS = ("read_file", "list_files", "search_files", "write_file", "edit_file", "run_command", "show_diff")
KINDS = {"command": "Command", "agent": "Agent"}


class SingleForm(PlainForm):
    """`spans`: how wide each field stands; fields named in `folded` hide until they are asked for."""

    spans: dict[str, str] = {}
    folded: tuple[str, ...] = ()

    def shown(self, *, folded: bool) -> list[dict[str, Any]]:
        return [
            {"field": self[name], "span": self.spans.get(name, "")}
            for name in self.fields
            if (name in self.folded) == folded
        ]

    @property
    def has_folded(self) -> bool:
        """Whether something was typed, or is wrong, where it can't be seen."""
        return any(self[name].errors or (self.is_bound and self[name].value()) for name in self.folded)

    def step(self) -> dict[str, Any]:
        """What was typed as a step; what isn't a number goes on as it is, and validation says so."""
        raise NotImplementedError


class CommandForm(SingleForm):
    command = forms.CharField(
        label="Command",
        strip=False,
        widget=forms.Textarea(attrs={**CODE, "rows": 3, "placeholder": "pytest -q", "autofocus": True}),
        help_text="A bash command line, run at the top of the run's own copy of the repository.",
    )
    cwd = forms.CharField(label="Folder", required=False, widget=forms.TextInput(attrs={**CODE, "placeholder": "."}))
    timeout_seconds = forms.CharField(
        label="Timeout in seconds", required=False, widget=forms.TextInput(attrs={**CONTROL, "inputmode": "numeric"})
    )
    secrets = forms.MultipleChoiceField(label="Secrets", required=False, widget=forms.CheckboxSelectMultiple)
    spans = {"cwd": "half", "timeout_seconds": "half"}
    folded: tuple[str, ...] = ("cwd", "timeout_seconds", "secrets")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = list(Secret.objects.filter(project=project).order_by("name").values_list("name", flat=True))
        self.fields["secrets"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        if not names:
            del self.fields["secrets"]
            self.folded = ("cwd", "timeout_seconds")

    def step(self) -> dict[str, Any]:
        given = self.cleaned_data
        step = {"type": "command", "command": given["command"], "timeout_seconds": number(given["timeout_seconds"])}
        step |= {"cwd": given["cwd"], "secrets": given.get("secrets", [])}
        return {name: value for name, value in step.items() if value not in ("", None, [])}


class AgentForm(SingleForm):
    prompt = forms.CharField(
        label="Task",
        strip=False,
        widget=forms.Textarea(
            attrs={**CONTROL, "rows": 5, "placeholder": "What should the agent do?", "autofocus": True}
        ),
    )
    provider = forms.ChoiceField(label="Provider", widget=forms.Select(attrs=SELECT))
    tools = forms.MultipleChoiceField(
        label="Tools",
        required=False,
        choices=[(name, name.replace("_", " ")) for name in TOOLS],
        widget=forms.CheckboxSelectMultiple,
        help_text="Each call of a tool passes the same policy as a command.",
    )
    model = forms.CharField(label="Model", required=False, widget=forms.TextInput(attrs=CODE))
    max_turns = forms.CharField(
        label="Turns at most", required=False, widget=forms.TextInput(attrs={**CONTROL, "inputmode": "numeric"})
    )
    timeout_seconds = forms.CharField(
        label="Timeout in seconds", required=False, widget=forms.TextInput(attrs={**CONTROL, "inputmode": "numeric"})
    )
    spans = {"provider": "half", "model": "third", "max_turns": "third", "timeout_seconds": "third"}
    folded = ("model", "max_turns", "timeout_seconds")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"provider": "simulated", "tools": ["read_file", "list_files", "search_files"]})
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = [(name, _provider_label(name)) for name in PROVIDERS]  # type: ignore[attr-defined]

    def step(self) -> dict[str, Any]:
        given = self.cleaned_data
        numbers = {name: number(given[name]) for name in ("max_turns", "timeout_seconds")}
        words = {name: given[name] for name in ("prompt", "provider", "tools", "model")}
        return {"type": "sdk", **{n: v for n, v in {**words, **numbers}.items() if v not in ("", None, [])}}


FORMS: dict[str, type[SingleForm]] = {"command": CommandForm, "agent": AgentForm}


def number(text: str) -> Any:
    """A number where it is one, else the text as it was typed."""
    try:
        return int(text) if text.strip().lstrip("-").isdecimal() else float(text)
    except ValueError:
        return text.strip()


def plan_of(form: SingleForm, feature: Feature) -> Plan | None:
    """The plan of one step, or None with the faults at their fields."""
    if not form.is_valid():
        return None
    step = form.step()
    name = _title(step.get("command") or step["prompt"])
    data = {
        "name": name,
        "project": feature.project.slug,
        "feature": feature.slug,
        "steps": [{**step, "key": launching.SINGLE_STEP, "name": name}],
    }
    try:
        return plan_rules.validate_plan(data)
    except InvalidPlan as invalid:
        _tell(form, invalid)
        return None


def verdict_of(plan: Plan, project: Project) -> dict[str, Any]:
    """What policy says before anything runs, with who will be asked."""
    verdict = planning.preview(plan, project)[0].verdict
    asks = verdict.verdict in gates.ASKS
    elevated = " with a recent sign-in" if gates.level_of(verdict) == "elevated" else ""
    who = ", ".join(approver.replace("role:", "any ") for approver in verdict.approvers or gates.DEFAULT_APPROVERS)
    return {
        "verdict": verdict.verdict,
        "risk": verdict.risk,
        "reasons": verdict.reasons,
        "approvals": [f"{who}{elevated}, other than you"] if asks else [],
    }


def _tell(form: SingleForm, invalid: InvalidPlan) -> None:
    for error in invalid.errors:
        field = error["path"].removeprefix("steps[0].").split("[")[0]
        form.add_error(field if field in form.fields else None, error["message"])


def _title(text: str) -> str:
    line = text.strip().splitlines()[0]
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"


def _provider_label(name: str) -> str:
    return "Simulated (no key needed)" if name == "simulated" else str(PROVIDERS[name].label)
