"""Approvals and decisions, to read. Deciding is done where the approver sees the whole packet."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from policy.admin.base import TabularInline
from policy.admin.reading import ExportAdmin, ReadOnlyAdmin, ScopedAdmin, VisibleProjects
from policy.models import Approval, Decision


class DecisionInline(TabularInline):
    model = Decision
    fields = readonly_fields = ("at", "user", "decision", "reason", "digest", "via")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Decision]:
        return super().get_queryset(request).select_related("user")


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin, ScopedAdmin, ExportAdmin):
    list_display = ("title", "project", "kind", "level", "state", "risk", "decided", "quorum", "requested_at", "asker")
    list_filter = ("state", "kind", "level", "risk", ("project", VisibleProjects))
    list_select_related = ("project", "requested_by")
    search_fields = ("title", "subject", "digest", "requested_by__username", "decisions__user__username")
    date_hierarchy = "requested_at"
    inlines = (DecisionInline,)
    export_columns = (
        *("id", "project__slug", "subject", "title", "kind", "level", "state", "risk", "digest", "quorum", "approvers"),
        *("excluded", "rules_version", "requested_at", "requested_by__username", "expires_at", "decided_at"),
        "consumed_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Approval]:
        rows: QuerySet[Approval] = super().get_queryset(request).annotate(said=Count("decisions"))
        return rows

    @admin.display(description="decisions")
    def decided(self, approval: Any) -> int:
        return int(approval.said)

    @admin.display(description="requested by", ordering="requested_by__username")
    def asker(self, approval: Approval) -> str:
        return approval.requested_by.get_username() if approval.requested_by else ""


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin, ScopedAdmin, ExportAdmin):
    list_display = ("at", "user", "decision", "approval", "project", "reason", "via")
    list_filter = ("decision", "via", "approval__kind", ("approval__project", VisibleProjects))
    list_select_related = ("user", "approval__project")
    search_fields = ("user__username", "approval__title", "approval__subject", "reason", "digest")
    date_hierarchy = "at"
    project_lookup = "approval__project"
    export_columns = ("id", "at", "user__username", "decision", "reason", "digest", "via", "approval_id")

    @admin.display(ordering="approval__project")
    def project(self, decision: Decision) -> str:
        return str(decision.approval.project)
