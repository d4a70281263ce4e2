"""Runs and plans in the administration: to find and read. Only the engine changes them, so nothing here can."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from orchestration.models import Document, Event, Feature, StepRun, Workflow, WorkflowRun, WorkflowVersion
from policy.admin.reading import ReadOnlyAdmin, ScopedAdmin, VisibleProjects


class ReadOnly(ReadOnlyAdmin, ScopedAdmin):
    """To find and read, for staff what belongs to their projects."""

    show_full_result_count = False
    list_per_page = 50


class Documents(admin.TabularInline):  # type: ignore[type-arg]
    model = Document
    fields = ("path", "doc_type", "title", "status", "read_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, *given: Any) -> bool:
        return False

    def has_change_permission(self, *given: Any) -> bool:
        return False


@admin.register(Feature)
class FeatureAdmin(ReadOnly):
    list_display = ("title", "slug", "project", "status", "category", "updated_at")
    list_filter = (("project", VisibleProjects), "status")
    search_fields = ("title", "slug")
    list_select_related = ("project",)
    inlines = (Documents,)


@admin.register(Workflow)
class WorkflowAdmin(ReadOnly):
    list_display = ("name", "project", "feature", "mode", "created_by", "created_at")
    list_filter = ("mode", ("project", VisibleProjects))
    search_fields = ("name", "=id")
    list_select_related = ("project", "feature", "created_by")
    date_hierarchy = "created_at"


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnly):
    project_lookup = "workflow__project"
    list_display = ("workflow", "number", "digest", "created_by", "created_at")
    list_filter = (("workflow__project", VisibleProjects),)
    search_fields = ("workflow__name", "digest")
    list_select_related = ("workflow", "created_by")


@admin.register(WorkflowRun)
class WorkflowRunAdmin(ReadOnly):
    list_display = ("number", "project", "feature", "workflow", "state", "state_reason", "created_by", "created_at")
    list_filter = ("state", "mode", ("project", VisibleProjects))
    search_fields = ("=number", "=id", "workflow__name", "branch")
    list_select_related = ("project", "feature", "workflow", "created_by")
    date_hierarchy = "created_at"


@admin.register(StepRun)
class StepRunAdmin(ReadOnly):
    project_lookup = "run__project"
    list_display = ("key", "run", "type", "state", "state_reason", "attempt", "risk", "started_at", "finished_at")
    list_filter = ("state", "type", "risk")
    search_fields = ("key", "=run__id")
    list_select_related = ("run",)


@admin.register(Event)
class EventAdmin(ReadOnly):
    project_lookup = "run__project"
    list_display = ("run", "sequence_no", "type", "step_key", "actor", "at")
    list_filter = ("type",)
    search_fields = ("=run__id", "step_key", "actor")
    list_select_related = ("run",)
