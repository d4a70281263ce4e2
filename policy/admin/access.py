"""Projects, members, tokens and secrets. Values and hashes are never shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from policy import members, projects, secrets, tokens
from policy.admin.acting import ActingAdmin, actor_of
from policy.admin.reading import ReadOnlyAdmin, ScopedAdmin, VisibleProjects
from policy.models import ApiToken, Membership, Project, Secret


@admin.register(Project)
class ProjectAdmin(ActingAdmin, ScopedAdmin):
    list_display = ("slug", "name", "path", "max_active_runs", "sandbox_required", "created_at")
    search_fields = ("slug", "name", "path")
    fields = ("slug", "path", *projects.CHANGEABLE)
    project_lookup = "pk"

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> tuple[str, ...]:
        return ("slug", "path") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in projects.CHANGEABLE}
        if change:
            projects.change(obj, by=actor_of(request), **values)
        else:
            made = projects.register(obj.slug, path=obj.path, by=actor_of(request), **values)
            obj.pk = made.pk


@admin.register(Membership)
class MembershipAdmin(ActingAdmin, ScopedAdmin):
    list_display = ("user", "project", "role", "created_at")
    list_filter = ("role", ("project", VisibleProjects))
    list_select_related = ("user", "project")
    search_fields = ("user__username", "user__email", "project__slug")
    autocomplete_fields = ("user", "project")

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("user", "project") if obj else ()

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        obj.pk = members.grant(obj.project, obj.user, form.cleaned_data["role"], by=actor_of(request)).pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        members.remove(obj, by=actor_of(request))


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Issued by their owners or by command; here they can be looked at and revoked."""

    list_display = ("prefix", "user", "name", "may_approve", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("may_approve",)
    list_select_related = ("user",)
    search_fields = ("prefix", "name", "user__username")
    fields = ("prefix", "user", "name", "may_approve", "created_at", "last_used_at", "expires_at", "revoked_at")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(user=request.user.pk)

    @admin.action(description="Revoke selected tokens")
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> None:
        with transaction.atomic():
            for token in chosen.select_related("user"):
                tokens.revoke(token, by=actor_of(request))
        messages.success(request, f"Revoked {len(chosen)}.")


@admin.register(Secret)
class SecretAdmin(ActingAdmin, ScopedAdmin):
    """Names only. Values are set in the project's settings or by command."""

    list_display = ("name", "project", "updated_at", "updated_by")
    list_filter = (("project", VisibleProjects),)
    list_select_related = ("project", "updated_by")
    search_fields = ("name", "project__slug")
    fields = readonly_fields = ("name", "project", "updated_at", "updated_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Secret | None = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: Secret) -> None:
        secrets.remove_secret(obj.project, obj.name, actor_of(request))
