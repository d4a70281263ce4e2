"""What stands beside the work on a feature: its documents, and the phases of its implementation plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.urls import reverse

from orchestration import planner
from orchestration.models import Document, Feature

MOST_PHASES = 40


def beside(feature: Feature, documents: list[Document]) -> dict[str, Any]:
    return {
        "documents": [_document(feature, document) for document in documents],
        "phases": _phases(feature, documents),
    }


def documents_of(feature: Feature) -> list[Document]:
    return list(feature.documents.order_by("doc_type", "path"))


def _document(feature: Feature, document: Document) -> dict[str, str]:
    return {
        "title": document.title,
        "path": document.path,
        "doc_type": document.doc_type.replace("_", " "),
        "status": document.status,
        "url": reverse("document", args=[feature.project.slug, feature.slug, document.pk]),
    }


def _phases(feature: Feature, documents: list[Document]) -> list[dict[str, str]]:
    """As the plan's file tells them now; a plan that can't be read tells none."""
    try:
        path = planner.choose_document(documents).path
        found = planner.find_phases(Path(feature.project.path), path)
    except planner.PlannerError:
        return []
    return [{"number": phase.number, "title": phase.title or "…"} for phase in found[:MOST_PHASES]]
