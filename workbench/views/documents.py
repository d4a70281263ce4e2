"""A planning document, as its file says now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from orchestration import documents
from orchestration.engine.errors import NotFound
from orchestration.front_matter import FrontMatterError
from orchestration.models import Document
from orchestration.repository_files import FileError
from workbench import markdown
from workbench.views.asking import page, show
from workbench.views.features import feature_of
from workbench.views.projects import place_of


@page()
def document(request: HttpRequest, slug: str, feature: str, pk: int) -> HttpResponseBase:
    place = place_of(request, slug)
    found = feature_of(place, feature)
    row = Document.objects.filter(feature=found, pk=pk).first()
    if row is None:
        raise NotFound("There is no such document.")
    trail = [
        {"label": place.project.name, "url": place.url("project")},
        {"label": found.title, "url": place.url("feature", found.slug)},
        {"label": row.title},
    ]
    context = {"trail": trail, "document": _shown(Path(place.project.path), row)}
    return show(request, "workbench/document.html", context)


def _shown(root: Path, row: Document) -> dict[str, Any]:
    facts = {
        "title": row.title,
        "path": row.path,
        "doc_type": row.doc_type.replace("_", " "),
        "status": row.status,
        "digest": row.digest,
        "read_at": row.read_at,
        "front_matter": [{"name": name, "value": _plain(value)} for name, value in row.front_matter.items()],
    }
    try:
        source = documents.read_source(root, row.path)
    except (FileError, FrontMatterError) as error:
        return {**facts, "problem": f"The file can't be read now: {error}."}
    return {
        **facts,
        "html": markdown.as_html(source.body, row.title),
        "cut": len(source.body) > markdown.LONGEST,
        "has_changed": source.digest != row.digest,
    }


def _plain(value: object) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
