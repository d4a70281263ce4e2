"""Pages that only show, scoped to what the reader may see, with an export of what is filtered."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django.urls.resolvers import URLPattern

from policy.access import visible_projects
from policy.admin.base import ModelAdmin
from policy.models import Project

# What a spreadsheet would take for a formula
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n", "\0")
AT_ONCE = 1000


class ReadOnlyAdmin(ModelAdmin):
    """Nobody adds, changes or deletes here, superusers included."""

    actions: Sequence[str] | None = None

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class VisibleProjects(RelatedFieldListFilter):
    """Of the projects those that the reader may see: a name alone tells that there is something."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        return field.get_choices(include_blank=False, limit_choices_to=Q(pk__in=visible_projects(request.user)))


class ScopedAdmin(ModelAdmin):
    """Staff who are no superusers see what belongs to their projects; superusers see everything."""

    project_lookup = "project"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        return rows.filter(**{f"{self.project_lookup}__in": self.visible(request)})

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.related_model is Project:
            kwargs["queryset"] = self.visible(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def visible(self, request: HttpRequest) -> QuerySet[Any]:
        projects: QuerySet[Project] = visible_projects(request.user)
        return projects


class ExportAdmin(ModelAdmin):
    """`export/csv/` and `export/json/` give the rows of the list as it is filtered and searched."""

    export_columns: tuple[str, ...] = ()
    change_list_template = "admin/policy/exported_change_list.html"

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(self.export)
        return [path("export/<str:format>/", view, name=name), *super().get_urls()]

    def export(self, request: HttpRequest, format: str) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if format not in WRITERS:
            raise Http404
        try:
            chosen = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseBadRequest("This filter is not known.", content_type="text/plain")
        rows = chosen.values(*self.export_columns)
        written = WRITERS[format](self.export_columns, rows.iterator(chunk_size=AT_ONCE))
        response = StreamingHttpResponse(written, content_type=CONTENT_TYPES[format])
        response["Content-Disposition"] = f'attachment; filename="{self.opts.model_name}.{format}"'
        return response


class _Echo:
    def write(self, text: str) -> str:
        return text


def _as_csv(columns: tuple[str, ...], rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([harmless(row[name]) for name in columns])


def harmless(value: Any) -> str:
    """A text that no spreadsheet computes: what looks like a formula begins with an apostrophe."""
    text = json.dumps(value, cls=DjangoJSONEncoder) if isinstance(value, (dict, list)) else str(_plain(value))
    return f"'{text}" if text.startswith(FORMULA) else text


def _as_json(columns: tuple[str, ...], rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n") + json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)
    yield "\n]\n"


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    return value.isoformat() if hasattr(value, "isoformat") else value


WRITERS = {"csv": _as_csv, "json": _as_json}
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
