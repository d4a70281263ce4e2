"""Phases that a plan keeps in files of their own, beside it or in a folder named like it.

Called by planner. Pure over a folder path; reads below the project's folder alone.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration import document_kinds, documents, front_matter, headings, phases
from orchestration.repository_files import SUFFIXES, FileError

MAX_FILES = 200
_OTHERS = re.compile(r"progress|notes|report|review|findings|retro", re.IGNORECASE)
_PHASE_NAME = re.compile(r"(?:^|[-_.])phase[-_]?\d", re.IGNORECASE)
_LINKED = re.compile(r"\]\(\s*<?([^()<>\s#]+\.(?:md|markdown|mdx))")
_OWN_FOLDER = frozenset({"readme", "index", "plan", "overview", "implementation-plan", "implementation_plan"})


def find_phase_files(root: Path, plan: documents.Source) -> tuple[phases.Phase, ...]:
    found: list[phases.Phase] = []
    for path in sorted(_candidates(root, plan))[:MAX_FILES]:
        try:
            source = documents.read_source(root, path)
        except (FileError, front_matter.FrontMatterError):
            continue  # named by the search for documents; a plan can be made without it
        if not _is_about_something_else(path, source.front_matter):
            found.extend(_phases_of(source))
    return phases.in_order(found)


def _phases_of(source: documents.Source) -> tuple[phases.Phase, ...]:
    declared = document_kinds.word(source.front_matter.get("phase"))
    return phases.phase_of_file(source.path, declared, headings.read_outline(source.body))


def _candidates(root: Path, plan: documents.Source) -> set[str]:
    """Every Markdown file of the folder named like the plan; elsewhere only files named after a phase."""
    place = PurePosixPath(plan.path)
    own = {str(path) for folder in _folders(place) for path in _names(root, folder)}
    beside = {
        str(path)
        for path in _names(root, place.parent)
        if _PHASE_NAME.search(path.name) and (_belongs(path.name, place) or place.stem.lower() in _OWN_FOLDER)
    }
    return (own | beside | set(_linked(plan))) - {plan.path}


def _folders(place: PurePosixPath) -> set[PurePosixPath]:
    short = re.sub(r"[-_](?:v\d+|implementation[-_]plan|plan)$", "", place.stem)
    named = {place.stem, short, f"{place.stem}-phases", f"{short}-phases"} - {"", place.parent.name}
    return {place.parent / name for name in named if place.stem.lower() not in _OWN_FOLDER}


def _belongs(name: str, place: PurePosixPath) -> bool:
    return name.startswith((f"{place.stem}-", f"{place.stem}.", f"{place.stem}_"))


def _linked(plan: documents.Source) -> Iterator[str]:
    for target in _LINKED.findall(plan.body):
        path = PurePosixPath(plan.path).parent / target
        if "://" not in target and _PHASE_NAME.search(path.name) and ".." not in path.parts:
            yield str(path)


def _names(root: Path, folder: PurePosixPath) -> list[PurePosixPath]:
    # No link on the way: reading refuses it later, but listing would follow it first.
    place = root / folder
    if not place.is_dir() or place.resolve() != (root.resolve() / folder):
        return []
    return [folder / entry.name for entry in place.iterdir() if entry.name.lower().endswith(SUFFIXES)]


def _is_about_something_else(path: str, matter: Mapping[str, Any]) -> bool:
    kind = document_kinds.kind_of(path, matter).doc_type
    return kind in ("progress", "report", "prd", "spec", "adr", "spike") or bool(
        _OTHERS.search(PurePosixPath(path).name)
    )
