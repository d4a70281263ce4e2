"""Finds a project's planning documents by their YAML front matter.

Pure over a folder path: reads, never writes, knows no rows. Called by features and by planner.
Whatever can't be used comes back as Skipped with a reason in words; nothing in a repository can make the search
fail, leave the folder, or run for long.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration import document_kinds, front_matter
from orchestration.headings import Heading, read_outline

MAX_FILE_BYTES = 1024 * 1024
MAX_FILES = 10_000
MAX_FOLDERS = 50_000
MAX_DEPTH = 20
MAX_PATH = 1_000
SUFFIXES = (".md", ".markdown", ".mdx")
SKIPPED_FOLDERS = frozenset({
    ".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", ".venv", "venv", ".tox", ".nox",
    "__pycache__", "site-packages", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".cache", ".next", ".nuxt",
    ".idea", ".vscode", ".gradle", ".terraform", "dist", "build", "target", "vendor", "coverage",
})  # fmt: skip


class DocumentError(ValueError):
    """This document can't be read."""


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
class Skipped:
    path: str
    reason: str
    unreadable: bool = False  # it may be a planning document: what was known of it still counts


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


@dataclass
class _Walk:
    skipped: list[Skipped] = field(default_factory=list)
    files: int = 0
    folders: int = 0
    complete: bool = True


def find_documents(root: Path) -> Findings:
    if not root.is_dir():
        raise DocumentError(f"There is no folder {root}.")
    root = root.resolve()
    walk = _Walk()
    drafts: list[FoundDocument] = []
    for path in _markdown_files(root, walk):
        try:
            source = read_source(root, path)
        except (DocumentError, front_matter.FrontMatterError) as error:
            walk.skipped.append(Skipped(path, str(error), unreadable=True))
            continue
        try:
            drafts.append(describe(source))
        except DocumentError as error:
            walk.skipped.append(Skipped(path, str(error)))
    documents = _settle(drafts, walk.skipped)
    return Findings(
        documents=tuple(sorted(documents, key=lambda d: d.path)),
        skipped=tuple(sorted(walk.skipped, key=lambda s: s.path)),
        complete=walk.complete,
    )


def read_source(root: Path, path: str) -> Source:
    """Raises DocumentError or FrontMatterError with a reason in words."""
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


def read_bytes(root: Path, path: str, limit: int = MAX_FILE_BYTES) -> bytes:
    """A regular file below root. Every folder on the way is opened without following links, so none can lead out."""
    parts = PurePosixPath(path).parts
    if not parts or PurePosixPath(path).is_absolute() or ".." in parts:
        raise DocumentError("the path leads out of the project's folder")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return _read_file(folder, parts[-1], limit)
    except OSError as error:
        raise DocumentError(f"it can't be read ({error.strerror})") from error
    finally:
        os.close(folder)


def describe(source: Source) -> FoundDocument:
    """What a document says of itself; feature_slug is empty where only its neighbours can tell."""
    kind = document_kinds.kind_of(source.path, source.front_matter)
    if not source.has_front_matter:
        raise DocumentError("no front matter")
    if not kind.planning:
        raise DocumentError("the front matter names no feature, and the document is of no planning kind")
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
            documents.append(_with_slug(draft, slug, source))
        else:
            skipped.append(
                Skipped(
                    draft.path,
                    "no feature is named, and nothing it refers to names one",
                )
            )
    return documents


def _with_slug(draft: FoundDocument, slug: str, source: str) -> FoundDocument:
    return FoundDocument(**{**vars(draft), "feature_slug": slug, "slug_source": source})


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


def _markdown_files(root: Path, walk: _Walk) -> Iterator[str]:
    """Depth first, sorted, bounded; links are named and never followed."""

    def unlisted(error: OSError) -> None:
        walk.complete = False
        walk.skipped.append(Skipped(_relative(root, error.filename), f"it can't be listed ({error.strerror})"))

    for folder, subfolders, names, _ in os.fwalk(root, follow_symlinks=False, onerror=unlisted):
        relative = Path(folder).relative_to(root)
        walk.folders += 1
        _choose_subfolders(relative, subfolders, names, walk)
        for name in sorted(names):
            if not name.lower().endswith(SUFFIXES):
                continue
            path = (relative / name).as_posix()
            if not _storable(path):
                walk.skipped.append(Skipped(front_matter.clean_text(path)[:MAX_PATH], "a name that can't be stored"))
                continue
            walk.files += 1
            if walk.files > MAX_FILES or walk.folders > MAX_FOLDERS:
                walk.complete = False
                walk.skipped.append(Skipped(".", f"the search stopped after {MAX_FILES:,} documents"))
                return
            yield path


def _relative(root: Path, name: object) -> str:
    place = Path(str(name))
    shown = place.relative_to(root) if place.is_relative_to(root) else Path(place.name)
    return front_matter.clean_text(shown.as_posix())[:MAX_PATH]


def _storable(path: str) -> bool:
    return len(path) <= MAX_PATH and front_matter.clean_text(path) == path and "\n" not in path


def _choose_subfolders(relative: Path, subfolders: list[str], names: list[str], walk: _Walk) -> None:
    nested = relative != Path() and (".git" in names or ".git" in subfolders)
    if nested:
        walk.skipped.append(Skipped(relative.as_posix(), "another git repository"))
        names.clear()
    if nested or len(relative.parts) >= MAX_DEPTH or walk.folders > MAX_FOLDERS:
        walk.complete = walk.complete and (nested or not subfolders)
        subfolders.clear()
    subfolders[:] = sorted(name for name in subfolders if name not in SKIPPED_FOLDERS)


def _read_file(folder: int, name: str, limit: int) -> bytes:
    # Non-blocking: opening a named pipe would wait for its writer for ever.
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if _is_link(folder, name):
            raise DocumentError("a symbolic link") from error
        raise
    with os.fdopen(file, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise DocumentError("not a regular file")
        data = stream.read(limit + 1) if found.st_size <= limit else b"x" * (limit + 1)
    if len(data) > limit:
        raise DocumentError(f"larger than {limit // 1024:,} kB")
    return data


def _is_link(folder: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _decode(data: bytes) -> str:
    if b"\x00" in data:
        raise DocumentError("a binary file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError("not text in UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
