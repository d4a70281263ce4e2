"""Rules, to write: saving makes a new version, and no version is ever changed or deleted."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from policy.admin.acting import ActingAdmin, actor_of
from policy.admin.base import ModelForm
from policy.admin.reading import ScopedAdmin, VisibleProjects
from policy.errors import Invalid
from policy.expressions import ExpressionError
from policy.models import Rule
from policy.rulebook import RuleText, check_approvers, write_rule
from policy.rules import check_condition

TEXT = ("description", "condition", "verdict", "risk", "approvers", "enabled")


class RuleForm(ModelForm):
    reason = forms.CharField(required=False, max_length=500, help_text="Why, for the audit log.")

    class Meta:
        model = Rule
        fields = ("project", "name", *TEXT)
        widgets = {"condition": forms.Textarea(attrs={"rows": 4, "cols": 100})}

    def clean_condition(self) -> str:
        condition: str = self.cleaned_data["condition"]
        try:
            check_condition(condition)
        except ExpressionError as error:
            raise forms.ValidationError(str(error)) from None
        return condition

    def clean_approvers(self) -> list[str]:
        approvers = self.cleaned_data["approvers"] or []
        if not isinstance(approvers, list):
            raise forms.ValidationError('Write a list, such as ["role:approver"].')
        try:
            check_approvers(tuple(approvers))
        except Invalid as error:
            raise forms.ValidationError(error.message) from None
        return approvers


class CurrentFilter(admin.SimpleListFilter):
    title = "version"
    parameter_name = "versions"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All versions")]

    def choices(self, changelist: Any) -> Any:
        yield {**next(iter(super().choices(changelist))), "display": "Newest only"}
        yield from list(super().choices(changelist))[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Rule]) -> QuerySet[Rule]:
        return queryset if self.value() == "all" else queryset.filter(current=True)


@admin.register(Rule)
class RuleAdmin(ActingAdmin, ScopedAdmin):
    form = RuleForm
    list_display = ("name", "project", "version", "verdict", "risk", "enabled", "current", "created_at", "created_by")
    list_filter = (CurrentFilter, "enabled", "verdict", ("project", VisibleProjects))
    list_select_related = ("project", "created_by")
    search_fields = ("name", "description", "condition")

    def get_readonly_fields(self, request: HttpRequest, obj: Rule | None = None) -> tuple[str, ...]:
        return ("project", "name", "version", "created_at", "created_by") if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Rule | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.current)

    def has_delete_permission(self, request: HttpRequest, obj: Rule | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in TEXT}
        text = RuleText(**{**values, "approvers": tuple(values["approvers"])})
        written = write_rule(obj.project, obj.name, text, by=actor_of(request), reason=form.cleaned_data["reason"])
        # What Django shows and links to afterwards is the version that was written.
        obj.pk, obj.version = written.pk, written.version
