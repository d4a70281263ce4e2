"""Redirections: which file they open, and how."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tree_sitter

from policy.shell import record as records
from policy.shell.scope import Scope
from policy.shell.words import Word

if TYPE_CHECKING:
    from policy.shell.walk import Walk

_WRITES = frozenset({">", ">>", ">|", "&>", "&>>"})
_DESCRIPTOR = re.compile(r"\d+|-")
_NETWORK = re.compile(r"/dev/(tcp|udp)(/.*)?")


def read(walk: Walk, node: tree_sitter.Node, scope: Scope) -> list[Word]:
    """Returns the words after the target: they belong to the command."""
    parts = [child for child in node.children if child.type != "file_descriptor"]
    operator, targets = parts[0].type, parts[1:]
    if not targets:
        if operator not in ("<&-", ">&-"):
            walk.unknown(node, "Has a redirection without a target")
        return []
    words = [word for target in targets for word in walk.words(target, scope)]
    if words:
        _open(walk, node, operator, words[0], scope)
    return words[1:]


def empties(walk: Walk, node: tree_sitter.Node, scope: Scope) -> None:
    """`> file` and `: > file` leave nothing of what was in it."""
    parts = [child for child in node.children if child.type != "file_descriptor"]
    if parts and parts[0].type in (">", ">|"):
        for target in parts[1:2]:
            for word in walk.words(target, scope):
                records.empties(walk.record, word, scope)


def _open(walk: Walk, node: tree_sitter.Node, operator: str, word: Word, scope: Scope) -> None:
    if any(_NETWORK.fullmatch(value) for value in word.values):
        walk.record.say("reverse_shell", f"Opens a network connection from the shell: {word.shown}.")
    elif operator in _WRITES:
        records.writes(walk.record, word, scope)
    elif operator == "<":
        records.reads(walk.record, word, scope)
        walk.feed = "text"
    elif operator in (">&", "<&") and word.text is not None and _DESCRIPTOR.fullmatch(word.text):
        return
    elif operator == ">&":
        records.writes(walk.record, word, scope)
        walk.unknown(node, "Uses an unusual redirection")
    else:
        walk.unknown(node, "Uses an unusual redirection")
