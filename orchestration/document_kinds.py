"""What a planning document is: its kind, its title, and which feature it belongs to.

Called by documents. Pure: front matter and paths in, words out. Knows the keys of several styles of repository;
never guesses a feature from prose.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from orchestration.front_matter import clean_text
from orchestration.headings import Heading

SLUG_LENGTH = 200
SLUG_KEYS = (
    "feature_slug",
    "feature-slug",
    "featureSlug",
    "feature",
    "feature_id",
    "feature_name",
)
REFERENCE_KEYS = (
    "plan_ref", "prd_ref", "implementation_plan_ref", "implementation_plan", "plan", "prd", "parent", "parent_plan",
    "spec", "spec_ref",
)  # fmt: skip
TYPE_KEYS = (
    "doc_type",
    "doc-type",
    "docType",
    "document_type",
    "type",
    "kind",
    "category",
)

_ALIASES = {
    "prd": "prd", "prds": "prd", "product_requirements": "prd", "product_requirements_document": "prd",
    "requirements": "prd", "implementation_plan": "implementation_plan", "implementation_plans": "implementation_plan",
    "impl_plan": "implementation_plan", "plan": "implementation_plan", "plans": "implementation_plan",
    "phase_plan": "phase_plan", "phase": "phase_plan", "progress": "progress", "progress_report": "progress",
    "progress_tracking": "progress", "spec": "spec", "specs": "spec", "specification": "spec", "design_spec": "spec",
    "design_specs": "spec", "feature_spec": "spec", "design": "design", "design_doc": "design",
    "design_document": "design",
    "adr": "adr", "adrs": "adr", "spike": "spike", "spikes": "spike", "report": "report", "reports": "report",
    "feature": "feature", "epic": "feature", "test_plan": "test_plan", "rfc": "rfc", "rfcs": "rfc",
}  # fmt: skip
# What may give a feature its name by its file's name alone; the others only join a feature that others name.
_NAMING = frozenset({"prd", "implementation_plan", "feature"})
_RANKS = (
    "prd",
    "feature",
    "implementation_plan",
    "spec",
    "design",
    "phase_plan",
    "progress",
)
_LABELS = re.compile(
    r"^\s*(?:prd|product requirements(?: document)?|(?:implementation|feature|phased?) plan|feature|spec(?:ification)?)"
    r"\s*(?:[:\u2013\u2014|]|\s-\s)\s*",
    re.IGNORECASE,
)
_TRAILING_LABEL = re.compile(
    r"\s*(?:[\u2013\u2014|:]|\s-)\s*(?:implementation plan|prd|spec(?:ification)?)\s*$",
    re.IGNORECASE,
)
_VERSION = re.compile(r"-v\d+(?:-\d+)*$")
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}-")
_KIND_IN_NAME = re.compile(r"^(?:prd|plan|spec|adr)-|-(?:prd|plan|implementation-plan|impl-plan|spec|progress)$")


@dataclass(frozen=True)
class Kind:
    doc_type: str
    slug: str
    slug_source: str
    planning: bool


def kind_of(path: str, matter: Mapping[str, Any]) -> Kind:
    known = _known_type(path, matter)
    slug, source = _named_slug(matter, known)
    return Kind(
        known or word(matter.get("doc_type"))[:40] or "document",
        slug,
        source,
        bool(known or slug),
    )


def title_of(path: str, matter: Mapping[str, Any], outline: Sequence[Heading]) -> str:
    given = word(matter.get("title")) or word(matter.get("name"))
    first = next((heading.text for heading in outline if heading.level == 1), "")
    return (given or clean_text(first) or words_of(PurePosixPath(path).stem))[:300]


def feature_title(title: str) -> str:
    """The feature's name in a document's title: "PRD: Faster search" is about faster search."""
    return _TRAILING_LABEL.sub("", _LABELS.sub("", title)).strip()[:200]


def rank(doc_type: str) -> int:
    """The lower, the more a document speaks for its feature."""
    return _RANKS.index(doc_type) if doc_type in _RANKS else len(_RANKS)


def slug_of(text: str) -> str:
    """As written where it can stand in an address; else as near to it as can be."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:SLUG_LENGTH].rstrip("-_")


def words_of(slug: str) -> str:
    words = " ".join(part for part in re.split(r"[-_\s]+", clean_text(slug)) if part)
    return words[:1].upper() + words[1:]


def word(value: object) -> str:
    """A scalar of the front matter as one line; lists, mappings and words for nothing are none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = " ".join(str(value).split())
    return "" if text.lower() in ("null", "none", "n/a", "tbd", "~", "-") else text


class Resolver:
    """Finds the feature of a document that names none, by what it refers to."""

    def __init__(self, slugs_by_path: Mapping[str, str]) -> None:
        self._paths = dict(slugs_by_path)
        self._slugs = set(slugs_by_path.values())
        self._by_stem = {slug_of(PurePosixPath(path).stem): slug for path, slug in sorted(slugs_by_path.items())}

    def resolve(self, path: str, doc_type: str, matter: Mapping[str, Any]) -> tuple[str, str]:
        for key in REFERENCE_KEYS:
            slug = self._referred(path, word(matter.get(key)))
            if slug:
                return slug, key
        return self._by_name(path, doc_type)

    def _referred(self, path: str, reference: str) -> str:
        if not reference:
            return ""
        target = PurePosixPath(reference.partition("#")[0].lstrip("/"))
        beside = PurePosixPath(path).parent / target
        exact = self._paths.get(str(target)) or self._paths.get(str(beside))
        return exact or self._among_known(_stem_slugs(target.name))

    def _by_name(self, path: str, doc_type: str) -> tuple[str, str]:
        place = PurePosixPath(path)
        candidates = _stem_slugs(place.name)
        known = self._among_known(candidates)
        if known:
            return known, "file name"
        folder = self._among_known(_stem_slugs(place.parent.name))
        if folder:
            return folder, "folder name"
        return (candidates[0], "file name") if doc_type in _NAMING and candidates else ("", "")

    def _among_known(self, candidates: Iterable[str]) -> str:
        for candidate in candidates:
            if candidate in self._slugs:
                return candidate
            if candidate in self._by_stem:
                return self._by_stem[candidate]
        return ""


def _stem_slugs(name: str) -> list[str]:
    """The names a file may give its feature, the fullest first: search-v2, search."""
    stem = re.sub(r"\.(md|markdown|mdx)$", "", name, flags=re.IGNORECASE)
    full = _KIND_IN_NAME.sub("", _DATE.sub("", slug_of(stem)))
    names = [
        full,
        _VERSION.sub("", full),
        *(f"{full}-v{number}" for number in (1, 2, 3)),
    ]
    generic = {
        "readme",
        "index",
        "plan",
        "prd",
        "spec",
        "overview",
        "implementation-plan",
        "progress",
        "design",
    }
    return [slug for slug in dict.fromkeys(names) if slug and slug not in generic and full not in generic]


def _known_type(path: str, matter: Mapping[str, Any]) -> str:
    for key in TYPE_KEYS:
        known = _ALIASES.get(_type_word(word(matter.get(key))), "")
        if known:
            return known
    if "doc_type" in matter:
        return _type_word(word(matter["doc_type"]))[:40]
    folders = [_ALIASES.get(_type_word(part), "") for part in PurePosixPath(path).parts[:-1]]
    return next((known for known in reversed(folders) if known), "")


def _named_slug(matter: Mapping[str, Any], known: str) -> tuple[str, str]:
    # `slug` alone is what blogs and documentation sites use for addresses: it counts in planning documents only.
    keys = (*SLUG_KEYS, "slug") if known else SLUG_KEYS
    for key in keys:
        value = matter.get(key)
        slug = slug_of(word(value[0] if isinstance(value, list) and len(value) == 1 else value))
        if slug:
            return slug, key
    return "", ""


def _type_word(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
