"""Features as rows: made from the documents of a project's repository, or by hand.

Called by pages, commands and the demo. The repository is the original: an import follows it, keeps what people made
by hand, and forgets a document only when its file is gone. Files are read before the transaction begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import models

from orchestration import document_kinds, documents
from orchestration.documents import Findings, FoundDocument, FoundFeature
from orchestration.engine.locks import write_transaction
from orchestration.models import Document, Feature
from orchestration.repository_files import FileError, Skipped
from policy import access, audit
from policy.access import Permission
from policy.actors import Actor
from policy.errors import Conflict, Invalid
from policy.models import Project

NAMED_IN_AUDIT = 50


@dataclass(frozen=True)
class ImportReport:
    """Feature slugs and document paths, each in exactly one of its lists."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()  # all that were found
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def has_changes(self) -> bool:
        return bool(self.created or self.updated or self.added or self.changed or self.removed)


def import_features(project: Project, by: Actor) -> ImportReport:
    """Make and update features from the project's documents. Raises Invalid where the folder can't be read."""
    access.require(by, Permission.LAUNCH, project)
    findings = _find(project)
    with write_transaction():
        # Two imports at once would make the same feature twice; the second waits here.
        Project.objects.select_for_update().get(pk=project.pk)
        report = _Import(project, findings).apply()
        if report.has_changes:
            _audit_import(project, report, by)
    return report


def create_feature(
    project: Project, slug: str, *, title: str, by: Actor, description: str = "", category: str = ""
) -> Feature:
    """A feature without documents. A later import of documents with the same slug joins it."""
    access.require(by, Permission.LAUNCH, project)
    _check_new(slug, title)
    with write_transaction():
        Project.objects.select_for_update().get(pk=project.pk)
        if Feature.objects.filter(project=project, slug=slug).exists():
            raise Conflict(f"The project {project.slug} has a feature {slug} already.")
        feature = Feature.objects.create(
            project=project, slug=slug, title=title.strip(), description=description, category=category
        )
        audit.append(
            "feature.created",
            actor=by,
            project=project.slug,
            subject=f"feature:{feature.pk}",
            after={"slug": slug, "title": feature.title},
        )
    return feature


def _find(project: Project) -> Findings:
    try:
        return documents.find_documents(Path(project.path))
    except (FileError, OSError) as error:
        raise Invalid(f"The documents of {project.slug} can't be read: {error}") from error


def _check_new(slug: str, title: str) -> None:
    if not slug or slug != document_kinds.slug_of(slug):
        raise Invalid(
            f"{slug!r} can't name a feature: use lower-case letters, digits, hyphens and underscores.", field="slug"
        )
    if not title.strip() or len(title) > 300:
        raise Invalid("A feature needs a title of at most 300 characters.", field="title")


class _Import:
    """One pass over what was found, against the rows that stand. Call inside a transaction that locks the project."""

    def __init__(self, project: Project, findings: Findings) -> None:
        self.project, self.findings = project, findings
        self.features = {feature.slug: feature for feature in Feature.objects.filter(project=project)}
        stored = Document.objects.filter(feature__project=project).select_related("feature")
        self.stored = {document.path: document for document in stored}
        self.created: list[str] = []
        self.updated: list[str] = []
        self.added: list[str] = []
        self.changed: list[str] = []

    def apply(self) -> ImportReport:
        for found in self.findings.features:
            feature = self._feature(found)
            for document in found.documents:
                self._document(feature, document)
        removed = self._forget()
        touched = {*self.created, *self.updated}
        return ImportReport(
            created=tuple(self.created),
            updated=tuple(self.updated),
            unchanged=tuple(found.slug for found in self.findings.features if found.slug not in touched),
            documents=tuple(document.path for document in self.findings.documents),
            added=tuple(sorted(self.added)),
            changed=tuple(sorted(self.changed)),
            removed=removed,
            skipped=self.findings.skipped,
        )

    def _feature(self, found: FoundFeature) -> Feature:
        known = self.features.get(found.slug)
        wanted = {
            "title": found.title,
            "status": found.status,
            "category": found.category,
            "description": found.description,
        }
        if known is None:
            self.created.append(found.slug)
            return Feature.objects.create(project=self.project, slug=found.slug, **wanted)
        # Documents that say nothing of it don't empty what a person wrote.
        if _differs(known, {name: value for name, value in wanted.items() if value}):
            self.updated.append(found.slug)
        return known

    def _document(self, feature: Feature, found: FoundDocument) -> None:
        wanted = {
            "feature_id": feature.pk,
            "doc_type": found.doc_type,
            "title": found.title,
            "status": found.status,
            "front_matter": dict(found.front_matter),
            "digest": found.digest,
            "size": found.size,
        }
        known = self.stored.get(found.path)
        if known is None:
            Document.objects.create(path=found.path, **wanted)
            self.added.append(found.path)
        elif _differs(known, wanted):
            self.changed.append(found.path)

    def _forget(self) -> tuple[str, ...]:
        """Files that are there but can't be read now keep the row of their last good reading."""
        kept = {document.path for document in self.findings.documents}
        kept |= {skipped.path for skipped in self.findings.skipped if skipped.unreadable}
        gone = sorted(path for path in self.stored if path not in kept) if self.findings.complete else []
        Document.objects.filter(pk__in=[self.stored[path].pk for path in gone]).delete()
        return tuple(gone)


def _differs(row: models.Model, wanted: Mapping[str, Any]) -> bool:
    """Save what differs, and tell whether anything did."""
    different = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    if different:
        row.save()
    return bool(different)


def _audit_import(project: Project, report: ImportReport, by: Actor) -> None:
    audit.append(
        "features.imported",
        actor=by,
        project=project.slug,
        subject=f"project:{project.pk}",
        after={
            "created": _named(report.created),
            "updated": _named(report.updated),
            "documents": len(report.documents),
            "added": len(report.added),
            "changed": len(report.changed),
            "removed": _named(report.removed),
        },
    )


def _named(names: Sequence[str]) -> list[str]:
    more = len(names) - NAMED_IN_AUDIT
    return [*names[:NAMED_IN_AUDIT], *([f"and {more} more"] if more > 0 else [])]
