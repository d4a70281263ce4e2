"""The run page and its parts: whole, one tab, one step, or only what is new since an event number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import content_disposition_header

from orchestration.models import WorkflowVersion
from orchestration.plan_text import write_yaml
from workbench import fragments
from workbench.run_page import page as parts
from workbench.run_page import panel, since
from workbench.run_page.view import RunView, number_in, open_view
from workbench.views.asking import actor_of, page, show


@page()
def run(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """The whole page; for HTMX the part that it asks for."""
    view = view_of(request, slug, number)
    response = _part(request, view) or whole_page(request, view)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def view_of(request: HttpRequest, slug: str, number: int) -> RunView:
    return open_view(actor_of(request), slug, number, request.GET.dict())


def whole_page(
    request: HttpRequest,
    view: RunView,
    *,
    status: int = 200,
    forms: Mapping[str, Mapping[str, Any]] | None = None,
) -> HttpResponse:
    seen = since.last_seen(view)
    response = show(request, "workbench/run.html", parts.whole(view, seen, forms), status=status)
    since.mark_seen(view)
    return response


def _part(request: HttpRequest, view: RunView) -> HttpResponse | None:
    htmx = request.htmx  # type: ignore[attr-defined]
    if not htmx or htmx.history_restore_request:
        return None
    if htmx.target == "panel":
        return show(request, "workbench/_step_panel.html", {"panel": panel.panel(view)})
    if htmx.target == "view":
        return show(request, "workbench/_view.html", parts.centre(view, since.last_seen(view)))
    return None


@page()
def live(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """What the socket would send, for where sockets don't get through."""
    view = view_of(request, slug, number)
    return HttpResponse(fragments.news(view, number_in(request.GET.dict(), "after") or 0).html)


@page("POST")
def seen(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """A page that followed says how far; what was watched is no news at the next look."""
    view = view_of(request, slug, number)
    since.mark_seen(view, number_in(request.POST.dict(), "sequence"))
    return HttpResponse(status=204)


@page()
def plan(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    view = view_of(request, slug, number)
    version = WorkflowVersion.objects.get(pk=view.run.version_id)
    name = f"{view.run.feature.slug}-v{version.number}.yaml"
    disposition = content_disposition_header(True, name) or "attachment"
    return HttpResponse(
        write_yaml(version.plan),
        headers={"Content-Type": "application/yaml; charset=utf-8", "Content-Disposition": disposition},
    )
