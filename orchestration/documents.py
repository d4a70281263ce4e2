"""Finds a project's planning documents by their YAML front matter.

Pure over a folder path: reads, never writes, knows no rows. Called by features and by planner.
Whatever can't be used comes back as Skipped with a reason in words; nothing in a repository can make the search
fail, leave the folder, or run for long.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestration import document_kinds, front_matter
from orchestration.headings import Heading, read_outline
from orchestration.repository_files import FileError, Skipped, Walk, markdown_files, read_bytes


class NotPlanning(ValueError):
    """This file is no planning document."""


@dataclass(frozen=True)
class FoundDocument:
    path: str  # relative to the project's folder, with forward slashes
    doc_type: str
    title: str
    status: str
    feature_slug: str
    slug_source: str  # in words: what named the feature
    phase: str  # "" where the document is not about one phase
    front_matter: Mapping[str, Any]
    digest: str  # SHA-256 of the file's bytes
    size: int
    headings: tuple[Heading, ...] = ()

    @property
    def category(self) -> str:
        return document_kinds.word(self.front_matter.get("category"))[:100]

    @property
    def description(self) -> str:
        given = self.front_matter.get("description") or self.front_matter.get("summary")
        return document_kinds.word(given)[:2_000]


@dataclass(frozen=True)
class FoundFeature:
    slug: str
    title: str
    status: str
    category: str
    description: str
    documents: tuple[FoundDocument, ...]


@dataclass(frozen=True)
class Findings:
    documents: tuple[FoundDocument, ...]
    skipped: tuple[Skipped, ...]
    complete: bool = True  # False: a limit ended the search, there may be more

    @property
    def features(self) -> tuple[FoundFeature, ...]:
        grouped: dict[str, list[FoundDocument]] = {}
        for document in self.documents:
            grouped.setdefault(document.feature_slug, []).append(document)
        return tuple(_feature(slug, grouped[slug]) for slug in sorted(grouped))


@dataclass(frozen=True)
class Source:
    """A file as it was read: bytes checked, front matter parsed, feature not known yet."""

    path: str
    digest: str
    size: int
    front_matter: Mapping[str, Any]
    has_front_matter: bool
    body: str


def find_documents(root: Path) -> Findings:
    if not root.is_dir():
        raise FileError(f"There is no folder {root}.")
    root = root.resolve()
    walk = Walk()
    drafts: list[FoundDocument] = []
    for path in markdown_files(root, walk):
        try:
            source = read_source(root, path)
        except (FileError, front_matter.FrontMatterError) as error:
            walk.skipped.append(Skipped(path, str(error), unreadable=True))
            continue
        try:
            drafts.append(describe(source))
        except NotPlanning as error:
            walk.skipped.append(Skipped(path, str(error)))
    documents = _settle(drafts, walk.skipped)
    return Findings(
        documents=tuple(sorted(documents, key=lambda d: d.path)),
        skipped=tuple(sorted(walk.skipped, key=lambda s: s.path)),
        complete=walk.complete,
    )


def read_source(root: Path, path: str) -> Source:
    """Raises FileError or FrontMatterError with a reason in words."""
    data = read_bytes(root, path)
    text = _decode(data)
    matter, body = front_matter.split(text)
    return Source(
        path=path,
        digest=hashlib.sha256(data).hexdigest(),
        size=len(data),
        front_matter=front_matter.parse(matter) if matter is not None else {},
        has_front_matter=matter is not None,
        body=front_matter.clean_text(body),
    )


def describe(source: Source) -> FoundDocument:
    """What a document says of itself; feature_slug is empty where only its neighbours can tell."""
    kind = document_kinds.kind_of(source.path, source.front_matter)
    if not source.has_front_matter:
        raise NotPlanning("no front matter")
    if not kind.planning:
        raise NotPlanning("the front matter names no feature, and the document is of no planning kind")
    outline = read_outline(source.body).headings
    return FoundDocument(
        path=source.path,
        doc_type=kind.doc_type,
        title=document_kinds.title_of(source.path, source.front_matter, outline),
        status=document_kinds.word(source.front_matter.get("status"))[:40],
        feature_slug=kind.slug,
        slug_source=kind.slug_source,
        phase=document_kinds.word(source.front_matter.get("phase"))[:20],
        front_matter=source.front_matter,
        digest=source.digest,
        size=source.size,
        headings=outline,
    )


def _settle(drafts: list[FoundDocument], skipped: list[Skipped]) -> list[FoundDocument]:
    """Second pass: a document that names no feature gets that of the document it refers to, or of its file's name."""
    resolver = document_kinds.Resolver({d.path: d.feature_slug for d in drafts if d.feature_slug})
    documents: list[FoundDocument] = []
    for draft in drafts:
        slug, source = (draft.feature_slug, draft.slug_source)
        if not slug:
            slug, source = resolver.resolve(draft.path, draft.doc_type, draft.front_matter)
        if slug:
            documents.append(replace(draft, feature_slug=slug, slug_source=source))
        else:
            skipped.append(
                Skipped(
                    draft.path,
                    "no feature is named, and nothing it refers to names one",
                )
            )
    return documents


def _feature(slug: str, documents: list[FoundDocument]) -> FoundFeature:
    ranked = sorted(documents, key=lambda d: (document_kinds.rank(d.doc_type), d.path))
    # What tells of one phase alone neither names the feature nor says how it stands.
    whole = [d for d in ranked if not d.phase and d.doc_type not in ("phase_plan", "progress")]
    titles = (document_kinds.feature_title(d.title) for d in whole)
    return FoundFeature(
        slug=slug,
        title=next((title for title in titles if title), document_kinds.words_of(slug)),
        status=next((d.status for d in whole if d.status), ""),
        category=next((d.category for d in whole if d.category), ""),
        description=next((d.description for d in whole if d.description), ""),
        documents=tuple(ranked),
    )


def _decode(data: bytes) -> str:
    if b"\x00" in data:
        raise FileError("a binary file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError("not text in UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
