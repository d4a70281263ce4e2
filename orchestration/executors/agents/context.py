"""The documents attached to a prompt, within a budget of tokens. Pure, but for reading them in the workspace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.providers.transcript import estimate_tokens

from ..tools.paths import PathRefused, read_bytes

INSTRUCTION_FILES = ("AGENTS.md", "CLAUDE.md")
MAX_DOCUMENT_BYTES = 2 * 1024 * 1024
LEAST_USEFUL_TOKENS = 50
LONG_LINE_BYTES = 400


@dataclass(frozen=True)
class Document:
    path: str
    text: str


@dataclass(frozen=True)
class Attached:
    text: str = ""
    tokens: int = 0
    paths: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()  # sentences for people: what was left out, and why


def attach(workspace: Path, paths: Iterable[str], budget_tokens: int) -> Attached:
    """What a step with these documents would get: for the agent, and for whoever picks documents beforehand."""
    documents, missing = read_documents(workspace, paths)
    return assemble(documents, budget_tokens, missing)


def assemble(documents: Sequence[Document], budget_tokens: int, missing: Iterable[str] = ()) -> Attached:
    """The documents in order, each whole while the budget lasts; the one at the border cut, later ones named only."""
    parts: list[str] = []
    attached: list[str] = []
    cut = list(missing)
    left = budget_tokens
    for document in documents:
        part = _frame(document.path, document.text)
        need = estimate_tokens(part)
        if need > left:
            part, told = _shortened(document, left, need)
            cut.append(told)
        if part:
            parts.append(part)
            attached.append(document.path)
            left -= estimate_tokens(part)
    return Attached("\n\n".join(parts), budget_tokens - left, tuple(attached), tuple(cut))


def read_documents(workspace: Path, paths: Iterable[str]) -> tuple[list[Document], list[str]]:
    """The documents that can be read, and a sentence for each that can't."""
    found, missing = [], []
    for path in dict.fromkeys(paths):
        try:
            found.append(Document(path, read_bytes(workspace, path, MAX_DOCUMENT_BYTES).decode("utf-8", "replace")))
        except (OSError, PathRefused) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            missing.append(f"{path} could not be attached: {reason}.")
    return found, missing


def instruction_paths(workspace: Path) -> list[str]:
    return [name for name in INSTRUCTION_FILES if (workspace / name).is_file()]


def _shortened(document: Document, left: int, need: int) -> tuple[str, str]:
    """As much of the beginning as fits, on a line border where lines are short, and the sentence that says so."""
    lines: list[str] = []
    used = estimate_tokens(_frame(document.path, "")) + 20
    whole, where = document.text.splitlines(), "after"
    for line in whole:
        cost = estimate_tokens(line + "\n")
        if used + cost > left:
            if part := _part_of(line, left - used):
                lines, where = [*lines, part], "in"
            break
        used += cost
        lines.append(line)
    if not lines or left < LEAST_USEFUL_TOKENS:
        return "", f"{document.path} was left out: it needs about {need} tokens, {left} of the context budget are left."
    kept = _frame(document.path, "\n".join(lines) + "\n[… cut: the context budget ends here …]")
    share = max(1, round(estimate_tokens(kept) * 100 / need))
    return (
        kept,
        f"{document.path} was cut {where} line {len(lines)} of {len(whole)}; about {share} % of it is attached.",
    )


def _part_of(line: str, tokens: int) -> str:
    """The beginning of a long line, such as a paragraph; a short one is left out whole."""
    data = line.encode("utf-8", "surrogatepass")
    if len(data) < LONG_LINE_BYTES or tokens < LEAST_USEFUL_TOKENS:
        return ""
    return data[: int((tokens - 2) * 3.5)].decode("utf-8", "ignore")


def _frame(path: str, text: str) -> str:
    """Marked as material: what stands in a document is no order to the agent."""
    return f'<document path="{path}">\n{text.rstrip()}\n</document>'
