"""The audit log: to read, search, filter and export, with the state of its chain on top."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator

from policy.access import visible_projects
from policy.admin.reading import ExportAdmin, ReadOnlyAdmin, ScopedAdmin
from policy.audit import verify_tail
from policy.models import AuditRecord

LOOKED_AT = 200


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnlyAdmin, ScopedAdmin, ExportAdmin):
    list_display = ("sequence", "at", "action", "outcome", "actor", "actor_kind", "project", "step", "short_reason")
    list_filter = ("outcome", "actor_kind", "project", "action")
    search_fields = ("actor", "subject", "run", "step", "reason", "payload_digest")
    date_hierarchy = "at"
    ordering = ("-sequence",)
    show_full_result_count = False
    project_lookup = "project"
    export_columns = tuple(field.name for field in AuditRecord._meta.concrete_fields)
    change_list_template = "admin/policy/auditrecord/change_list.html"

    @admin.display(description="reason")
    def short_reason(self, record: AuditRecord) -> str:
        return Truncator(record.reason).chars(80)

    def visible(self, request: HttpRequest) -> QuerySet[Any]:
        """Records name projects by slug, because they outlive them."""
        return visible_projects(request.user).values("slug")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        chain = verify_tail(LOOKED_AT)
        return super().changelist_view(request, {**(extra_context or {}), "chain": chain})
