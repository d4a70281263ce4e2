"""Trying a rule before it holds: on one command and on the steps that really ran. Then, for admins, storing it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from orchestration.engine.trying import Trial, try_on_command, try_rule
from policy.access import Permission
from policy.errors import Invalid
from policy.expressions import ExpressionError
from policy.models.rules import Risk, Verdicts
from policy.rulebook import RuleText, write_rule
from policy.rules import Rule, check_condition
from workbench.forms import CODE, CONTROL, SELECT, PlainForm
from workbench.views.asking import go, page, posted, show
from workbench.views.projects import Place, place_of

SHOWN = 100
LAST = ((100, "100"), (500, "500"), (2000, "2,000"))


class RuleForm(PlainForm):
    name = forms.SlugField(
        label="Name", max_length=100, widget=forms.TextInput(attrs=CODE),
        help_text="A name that is taken already is tried in place of that rule.",
    )  # fmt: skip
    description = forms.CharField(
        label="Sentence", max_length=500, widget=forms.TextInput(attrs=CONTROL),
        help_text="What people read where it holds.",
    )  # fmt: skip
    condition = forms.CharField(
        label="Condition", max_length=4000, widget=forms.Textarea(attrs={**CODE, "rows": 3}),
        help_text="CEL over step, command, tool, cost, project, feature, environment and sandbox; such as "
        "'network' in command.classes && step.key.startsWith('deploy').",
    )  # fmt: skip
    verdict = forms.ChoiceField(label="Verdict", choices=Verdicts.choices, widget=forms.Select(attrs=SELECT))
    risk = forms.ChoiceField(label="Risk", choices=Risk.choices, widget=forms.Select(attrs=SELECT))
    approvers = forms.CharField(
        label="Who decides", required=False, max_length=500, widget=forms.TextInput(attrs=CODE),
        help_text="Such as role:admin, user:grace or group:leads, with commas; empty for approvers.",
    )  # fmt: skip
    command = forms.CharField(
        label="Try it on this command", required=False, max_length=4000, widget=forms.TextInput(attrs=CODE)
    )
    last = forms.TypedChoiceField(
        label="And on the last steps that ran", coerce=int, choices=LAST, widget=forms.Select(attrs=SELECT)
    )

    def clean_condition(self) -> str:
        condition: str = self.cleaned_data["condition"]
        try:
            check_condition(condition)
        except ExpressionError as error:
            raise forms.ValidationError(str(error)) from None
        return condition

    @property
    def named(self) -> tuple[str, ...]:
        parts = (part.strip() for part in self.cleaned_data["approvers"].split(","))
        return tuple(part for part in parts if part)

    def rule(self) -> Rule:
        given = {name: self.cleaned_data[name] for name in ("name", "description", "condition", "verdict", "risk")}
        return Rule(**given, approvers=self.named)

    def text(self) -> RuleText:
        given = {name: self.cleaned_data[name] for name in ("description", "condition", "verdict", "risk")}
        return RuleText(**given, approvers=self.named)


@page("GET", "POST")
def rule_trial(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Everybody who sees the project may try; only its admins may store what they tried."""
    place = place_of(request, slug)
    form = RuleForm(posted(request), initial={"verdict": "require_approval", "risk": "high", "last": 100})
    is_filled = form.is_valid()
    if is_filled and request.POST.get("do") == "save" and _stored(place, form):
        messages.success(request, f"The rule {form.cleaned_data['name']} holds from now on.")
        return go(request, place.url("project-rules"))
    context = {
        "page_title": "Try a rule",
        "trail": [
            {"label": "Projects", "url": reverse("projects")},
            {"label": place.project.name, "url": place.url("project")},
            {"label": "Rules", "url": place.url("project-rules")},
            {"label": "Try a rule"},
        ],
        "form": form,
        "url": place.url("rule-trial"),
        "may_manage": place.may(Permission.MANAGE),
        "trial": _trial(place, form) if is_filled and not form.errors else None,
    }
    return show(request, "workbench/rule_trial.html", context, status=422 if form.errors else 200)


def _stored(place: Place, form: RuleForm) -> bool:
    try:
        write_rule(place.project, form.cleaned_data["name"], form.text(), by=place.by, reason="Tried on its page.")
    except Invalid as refusal:
        field = refusal.details.get("field", "condition")
        form.add_error(field if field in form.fields else "condition", refusal.message)
        return False
    return True


def _trial(place: Place, form: RuleForm) -> dict[str, Any]:
    rule, command = form.rule(), form.cleaned_data["command"]
    tried = list(try_rule(place.project, rule, last=form.cleaned_data["last"]))
    changed = [one for one in tried if one.is_changed]
    return {
        "command": _told(try_on_command(place.project, rule, command)) if command else None,
        "count": len(tried),
        "changed": [_told(one) for one in changed[:SHOWN]],
        "changed_count": len(changed),
        "more": max(0, len(changed) - SHOWN),
    }


def _told(one: Trial) -> dict[str, Any]:
    return {
        "run": one.run,
        "step": one.step,
        "is_changed": one.is_changed,
        "before": one.before.verdict,
        "after": one.after.verdict,
        "risk_before": one.before.risk,
        "risk_after": one.after.risk,
        "why": [reason.message for reason in one.after.reasons],
    }
