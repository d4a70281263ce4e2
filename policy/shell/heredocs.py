"""Here-documents. Where one ends is found again by the shell's own rule, since all that follows are commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tree_sitter

from policy.shell import redirects
from policy.shell.scope import Scope
from policy.shell.words import Word

if TYPE_CHECKING:
    from policy.shell.walk import Walk

_DELIMITER = re.compile(r"'(\w+)'|\"(\w+)\"|(\w+)")
# A text that ends in a backslash joins the next line; what else is escaped stays as it is.
_EXPANDS = re.compile(r"\\.|`|\$(?=[\w({@*#?$!-])", re.DOTALL)
_PARTS = frozenset({"<<", "<<-", "heredoc_start", "heredoc_body", "heredoc_end", "file_redirect", "file_descriptor"})


def read(walk: Walk, node: tree_sitter.Node, scope: Scope) -> list[Word]:
    extra: list[Word] = []
    span = _body(walk, node)
    if span is None:
        walk.unknown(node, "Holds a here-document whose end is doubtful")
        walk.search(node, scope)
    elif not _quoted(walk, node) and not _expanded(walk, *span, scope):
        walk.unknown(node, "Holds a here-document with expansions that can't be read")
        walk.search(node, scope)
    for child in node.children:
        if child.type == "file_redirect":
            extra += redirects.read(walk, child, scope)
        elif child.type not in _PARTS:
            walk.unknown(child, "Goes on after the start of a here-document")
            walk.search(node, scope)
    return extra


def _quoted(walk: Walk, node: tree_sitter.Node) -> bool:
    """Quotes around the delimiter: the text is taken as it stands."""
    return any(child.type == "heredoc_start" and walk.source.of(child)[0] in "'\"" for child in node.children)


def _expanded(walk: Walk, start: int, end: int, scope: Scope) -> bool:
    """Visits every expansion in the text. False where one is no part of the tree."""
    text, at = walk.source.text, start
    while True:
        found = _EXPANDS.search(text, at, end)
        if found is None:
            return True
        at = found.end()
        if found[0][0] == "\\":
            continue
        expansion = walk.source.expansions.get(found.start())
        if expansion is None or expansion.end_byte > end:
            return False
        walk.expansion(expansion, scope, True)
        at = expansion.end_byte


def _body(walk: Walk, node: tree_sitter.Node) -> tuple[int, int] | None:
    """Where the text stands, if the tree and the shell's own rule agree on it."""
    parts = {child.type: child for child in node.children}
    if not {"heredoc_start", "heredoc_body", "heredoc_end"} <= parts.keys():
        return None
    source = walk.source
    found = _DELIMITER.fullmatch(source.of(parts["heredoc_start"]))
    opened = source.text.find("\n", parts["heredoc_start"].end_byte)
    if found is None or opened < 0 or source.text.count("<<", parts["heredoc_start"].end_byte, opened):
        return None
    end = _end(source.text, opened + 1, found[1] or found[2] or found[3], "<<-" in parts)
    if end is not None and "\\\n" in source.text[opened : end[1]]:
        return None  # Joined lines: where the text ends depends on what is joined.
    agreed = end is not None and opened < parts["heredoc_end"].start_byte and end[1] == parts["heredoc_end"].end_byte
    return (opened + 1, end[0]) if end is not None and agreed else None


def _end(text: str, at: int, delimiter: str, tabs: bool) -> tuple[int, int] | None:
    for line in text[at:].split("\n"):
        if (line.lstrip("\t") if tabs else line) == delimiter:
            return at, at + len(line)
        at += len(line) + 1
    return None
