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
_PARTS = frozenset({"<<", "<<-", "heredoc_start", "heredoc_body", "heredoc_end", "file_redirect", "file_descriptor"})


def read(walk: Walk, node: tree_sitter.Node, scope: Scope) -> list[Word]:
    extra: list[Word] = []
    if not _ends_where_it_seems(walk, node):
        walk.unknown(node, "Holds a here-document whose end is doubtful")
    for child in node.children:
        if child.type == "file_redirect":
            extra += redirects.read(walk, child, scope)
        elif child.type == "heredoc_body":
            _body(walk, child, scope)
        elif child.type not in _PARTS:
            walk.unknown(child, "Goes on after the start of a here-document")
            walk._search(node, scope)
    return extra


def _body(walk: Walk, node: tree_sitter.Node, scope: Scope) -> None:
    for child in node.children:
        if child.type != "heredoc_content":
            walk.expansion(child, scope, True)


def _ends_where_it_seems(walk: Walk, node: tree_sitter.Node) -> bool:
    parts = {child.type: child for child in node.children}
    if not {"heredoc_start", "heredoc_body", "heredoc_end"} <= parts.keys():
        return False
    source = walk.source
    found = _DELIMITER.fullmatch(source.of(parts["heredoc_start"]))
    opened = source.text.find("\n", parts["heredoc_start"].end_byte)
    if found is None or opened < 0 or source.text.count("<<", parts["heredoc_start"].end_byte, opened):
        return False
    delimiter, at = found[1] or found[2] or found[3], opened + 1
    for line in source.text[at:].split("\n"):
        if (line.lstrip("\t") if "<<-" in parts else line) == delimiter:
            return at <= parts["heredoc_end"].start_byte and parts["heredoc_end"].end_byte == at + len(line)
        at += len(line) + 1
    return False
