"""An implementation plan document becomes a plan: data in the plan's format, a draft that a person edits.

Called by commands and pages; pure over a folder path, stores nothing. One agent step for each distinct phase number,
in order, each followed by its validation, with approval checkpoints between and one at the end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestration import document_kinds, documents, front_matter, headings, phase_files, phases, repository_checks
from orchestration.repository_files import SUFFIXES, FileError

MAX_PHASE_TEXT = 12_000
MAX_PLAN_TEXT = 400_000  # over all phases, so that a plan stays a page that people read
MAX_CONTEXT = 20
CHECKPOINT_EVERY = 3
NEIGHBOURS = 12  # phases named before and after the one at hand
OVER = frozenset({"superseded", "archived", "deprecated", "obsolete", "abandoned", "canceled", "cancelled"})
TOOLS = ["read_file", "list_files", "search_files", "write_file", "edit_file", "run_command", "show_diff"]

_SENSITIVE = re.compile(
    r"\b(?:migrat\w+|deploy\w*|releas\w+|roll-?out|rollback|production|cut-?over|secur\w+|auth(?:[nz]|entication|orization)?|credential\w*|secrets?"
    r"|permission\w*|payment\w*|billing|delet\w+|remov\w+|drop(?:s|ped|ping)?|infrastructure|go-?live|launch)\b",
    re.IGNORECASE,
)
_SCRIPT_LINE = re.compile(r"^(\s*)!(?=[A-Za-z])", re.MULTILINE)


class PlannerError(ValueError):
    """No plan can be made of this document."""


class Described(Protocol):
    """What a document says of itself, as it was found or as a row."""

    @property
    def path(self) -> str: ...
    @property
    def doc_type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def front_matter(self) -> Any: ...


@dataclass(frozen=True)
class Subject:
    """What the plan is for. `context`: paths of the feature's documents that every agent step gets."""

    project: str
    feature: str
    feature_title: str = ""
    context: Sequence[str] = field(default_factory=tuple)


def generate_plan(root: Path, path: str, *, subject: Subject, provider: str = "simulated") -> dict[str, Any]:
    """The document at `path` (relative to root) as a plan. Raises PlannerError with a sentence."""
    source = _read(root, path)
    outline = headings.read_outline(source.body)
    found = _phases(root, source, outline)
    if len(found) > phases.MAX_PHASES:
        raise PlannerError(f"{path} has {len(found)} phases; a plan is made of {phases.MAX_PHASES} at most.")
    title = _title(source, outline, subject)
    checks = repository_checks.find_checks(root)
    steps = _phase_steps(source, subject, found, checks) if found else _single_step(source, subject, checks)
    for step in steps:
        if step["type"] == "sdk":
            step["provider"] = provider
    return {
        "name": title,
        "description": _description(path, found),
        "project": subject.project,
        "feature": subject.feature,
        "steps": [*steps, _acceptance(title)],
    }


def find_phases(root: Path, path: str) -> tuple[phases.Phase, ...]:
    """The phases that the document at `path` (relative to root) tells of. Raises PlannerError with a sentence."""
    source = _read(root, path)
    return _phases(root, source, headings.read_outline(source.body))


def choose_document(found: Sequence[Described]) -> Described:
    """The document of a feature that a plan is made from when none is named."""
    plans = [document for document in found if document.doc_type == "implementation_plan"]
    if not plans:
        others = ", ".join(document.path for document in found[:5])
        told = f"name the document to use ({others})" if others else "it has no documents at all"
        raise PlannerError(f"This feature has no implementation plan; {told}.")
    current = [document for document in plans if document.status.lower() not in OVER]
    return max(current or plans, key=lambda d: (document_kinds.word(d.front_matter.get("updated")), d.path))


def context_paths(found: Sequence[Described], chosen: str) -> tuple[str, ...]:
    """The documents that tell an agent what the whole feature is about: the plan itself, then PRD, spec, design."""
    wanted = [d.path for d in found if d.doc_type in ("prd", "spec", "design", "feature") and d.path != chosen]
    return (chosen, *wanted)[:MAX_CONTEXT]


def _read(root: Path, path: str) -> documents.Source:
    if not path.lower().endswith(SUFFIXES):
        raise PlannerError(f"{path} is no Markdown document.")
    try:
        source = documents.read_source(root, path)
    except (FileError, front_matter.FrontMatterError) as error:
        raise PlannerError(f"{path} can't be read: {error}.") from error
    if not source.body.strip():
        raise PlannerError(f"{path} has no text to make a plan from.")
    return source


def _phases(root: Path, source: documents.Source, outline: headings.Outline) -> tuple[phases.Phase, ...]:
    declared = document_kinds.word(source.front_matter.get("phase"))
    if phases.normal_number(declared):
        return phases.phase_of_file(source.path, declared, outline)
    return phases.in_order((*phases.find_phases(outline), *phase_files.find_phase_files(root, source)))


def _title(source: documents.Source, outline: headings.Outline, subject: Subject) -> str:
    title = document_kinds.title_of(source.path, source.front_matter, outline.headings)
    return document_kinds.feature_title(title) or subject.feature_title or subject.feature


def _description(path: str, found: Sequence[phases.Phase]) -> str:
    told = f"{len(found)} phase{'s' * (len(found) != 1)}" if found else "no phases, so one step does it all"
    return f"Draft made from {path} ({told}). Read and change it before it runs."


def _phase_steps(
    source: documents.Source, subject: Subject, found: Sequence[phases.Phase], checks: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    room = min(MAX_PHASE_TEXT, MAX_PLAN_TEXT // len(found))
    steps: list[dict[str, Any]] = []
    since = 0
    for index, phase in enumerate(found):
        if index and (since == CHECKPOINT_EVERY or index == 1 or _SENSITIVE.search(phase.title)):
            steps.append(_checkpoint(found[index - 1], phase))
            since = 0
        steps += [_agent_step(source, subject, found, index, room), _validation(_key(phase), phase.label, checks)]
        since += 1
    return steps


def _agent_step(
    source: documents.Source, subject: Subject, found: Sequence[phases.Phase], index: int, room: int
) -> dict[str, Any]:
    phase = found[index]
    goal = (
        f"Implement {phase.label}, of the feature {subject.feature_title or subject.feature}.\n\n"
        f"The plan's phases, in order:\n{_listed(found, index)}\n\n"
        "Do the work of this phase alone: the phases before it are done, those after it come later. Keep to the "
        "repository's own conventions, add or change the tests that belong to the phase, and run them."
    )
    return {
        "key": _key(phase),
        "name": _name(phase.label),
        "type": "sdk",
        "provider": "",
        "prompt": _prompt(goal, phase.text, phase.path or source.path, room),
        "tools": list(TOOLS),
        "context": _context(source, subject, phase.path),
    }


def _listed(found: Sequence[phases.Phase], index: int) -> str:
    first, last = max(0, index - NEIGHBOURS), index + NEIGHBOURS
    lines = [f"- {phase.label}" + " (this one)" * (phase is found[index]) for phase in found[first : last + 1]]
    return "\n".join([*["- …"] * (first > 0), *lines, *["- …"] * (last < len(found) - 1)])


def _single_step(source: documents.Source, subject: Subject, checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    goal = (
        f"Implement the feature {subject.feature_title or subject.feature} as its plan describes it. Keep to the "
        "repository's own conventions, add or change the tests that belong to it, and run them."
    )
    step = {
        "key": "implementation",
        "name": "Implementation",
        "type": "sdk",
        "provider": "",
        "prompt": _prompt(goal, source.body, source.path, MAX_PHASE_TEXT),
        "tools": list(TOOLS),
        "context": _context(source, subject, ""),
    }
    return [step, _validation("implementation", "the implementation", checks)]


def _prompt(goal: str, text: str, path: str, room: int) -> str:
    body = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    if len(body) > room:
        body = body[:room].rsplit("\n", 1)[0].rstrip() + f"\n\n[cut here: the rest stands in {path}]"
    told = f"What {path} says of it:\n\n{body}" if body else f"{path} says no more of it than its title."
    ending = "When you are done, say in a few lines what you changed, how you checked it, and what is left open."
    return _inert(f"{goal}\n\n{told}\n\n{ending}")


def _inert(text: str) -> str:
    """A document's text is material: no placeholder in it is filled in, no line of it drives a simulated agent."""
    return _SCRIPT_LINE.sub(r"\1\\!", text.replace("${{", "$ {{"))


def _context(source: documents.Source, subject: Subject, own: str) -> list[str]:
    paths = [path for path in (own, source.path, *subject.context) if path]
    return list(dict.fromkeys(paths))[:MAX_CONTEXT]


def _validation(key: str, label: str, checks: list[dict[str, Any]]) -> dict[str, Any]:
    # A repository that tells of no tests leaves one thing to check: how the agent's step ended.
    own = {
        "kind": "expression",
        "name": "the agent's step succeeded",
        "expression": f"steps.{key}.state == 'succeeded'",
    }
    return {
        "key": f"{key}_check",
        "name": _name(f"Check {label}"),
        "type": "validation",
        "checks": [own, *(dict(check) for check in checks)],
    }


def _checkpoint(before: phases.Phase, after: phases.Phase) -> dict[str, Any]:
    return {
        "key": f"before_{_key(after)}",
        "name": _name(f"Go on to {after.label}?"),
        "type": "approval",
        "instructions": _inert(
            f"Read what {before.label} changed and how its checks went. Approve to start {after.label}; "
            "reject to stop the run here."
        ),
        "approvers": ["role:approver"],
    }


def _acceptance(title: str) -> dict[str, Any]:
    return {
        "key": "acceptance",
        "name": "Accept the work",
        "type": "approval",
        "instructions": _inert(
            f"Read the whole change for {title} and the results of its checks. Approve to accept it."
        ),
        "approvers": ["role:approver"],
    }


def _key(phase: phases.Phase) -> str:
    return "phase_" + re.sub(r"[^a-z0-9]+", "_", phase.number)


def _name(text: str) -> str:
    return text[:200].strip()
