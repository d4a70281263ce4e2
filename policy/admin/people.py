"""Django's own pages for accounts and groups, with every change on record: both give rights."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from policy import audit
from policy.admin.acting import actor_of
from policy.admin.base import ModelAdmin

NOTED = ("username", "email", "is_active", "is_staff", "is_superuser")

admin.site.unregister(User)
admin.site.unregister(Group)


class AuditedAdmin(ModelAdmin):
    """Only superusers change accounts and groups, whatever permission somebody was given: both give every right.

    Records what the row and its many-to-many rows were before and are after, once both are stored.
    """

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def described(self, obj: Any) -> dict[str, Any]:
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        form.before = self.described(self.model._default_manager.get(pk=obj.pk)) if change else {}
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        after = self.described(form.instance)
        if form.before != after:
            _record(request, "changed" if change else "created", form.instance, form.before, after)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        _record(request, "removed", obj, self.described(obj), {})
        super().delete_model(request, obj)


@admin.register(User)
class AuditedUserAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    def described(self, obj: User) -> dict[str, Any]:
        return {
            **{name: getattr(obj, name) for name in NOTED},
            "groups": sorted(obj.groups.values_list("name", flat=True)),
            "permissions": sorted(obj.user_permissions.values_list("codename", flat=True)),
        }

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        if "password" in str(message).lower():
            _record(request, "password_set", obj, {}, {"username": obj.get_username()})
        return super().log_change(request, obj, message)


@admin.register(Group)
class AuditedGroupAdmin(AuditedAdmin, GroupAdmin):
    """Approvers can be named by group: who renames or removes one changes who decides."""

    def described(self, obj: Group) -> dict[str, Any]:
        return {"name": obj.name, "permissions": sorted(obj.permissions.values_list("codename", flat=True))}


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


def _record(request: HttpRequest, action: str, obj: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
    kind = obj._meta.model_name
    audit.append(f"{kind}.{action}", actor=actor_of(request), subject=f"{kind}:{obj.pk}", before=before, after=after)
