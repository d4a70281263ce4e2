"""The report of a run: as a page that prints well, and as files with checksums."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import content_disposition_header

from orchestration import report_files, reports
from workbench import report_page
from workbench.run_page.view import RunView
from workbench.views.asking import page, show
from workbench.views.runs import view_of

TYPES = {"json": "application/json", "md": "text/markdown; charset=utf-8", "zip": "application/zip"}
LABELS = {"md": "Markdown", "json": "JSON", "zip": "Zip with checksums"}


@page()
def report(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    view = view_of(request, slug, number)
    told = reports.report_of(view.run)
    context = {
        "report": report_page.told(view, told),
        "exports": [{"label": label, "url": view.part("report-file", form)} for form, label in LABELS.items()],
        "trail": [
            {"label": view.run.project.name, "url": reverse("project", args=[slug])},
            {"label": view.run.feature.title, "url": reverse("feature", args=[slug, view.run.feature.slug])},
            {"label": f"Run {view.run.number}", "url": view.url},
            {"label": "Report", "url": ""},
        ],
    }
    return show(request, "workbench/report.html", context)


@page()
def report_file(request: HttpRequest, slug: str, number: int, form: str) -> HttpResponseBase:
    view = view_of(request, slug, int(number))
    told = reports.report_of(view.run)
    body = report_files.zipped(told) if form == "zip" else reports.written(told, form)
    disposition = content_disposition_header(True, f"{_name(view)}.{form}") or "attachment"
    return HttpResponse(body, headers={"Content-Type": TYPES[form], "Content-Disposition": disposition})


def _name(view: RunView) -> str:
    return f"{view.run.project.slug}-run-{view.run.number}-report"
