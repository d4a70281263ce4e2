"""Functions that a line defines for itself: a small one is judged where it is called, with the words it is given there.

Small: its body only runs commands. One that changes folder or variables would change what is known after each call,
also where a loop calls it again, so it isn't understood.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tree_sitter

from policy.shell.scope import Scope
from policy.shell.words import Word

if TYPE_CHECKING:
    from policy.shell.walk import Walk

Node = tree_sitter.Node
_NAME = re.compile(r"[a-z_][a-z0-9_-]*")
# The shell reads these as grammar or calls them by itself.
_NOT_OURS = frozenset(
    {"export", "local", "readonly", "declare", "typeset", "unset", "unsetenv", "time", "command_not_found_handle"}
)
_DEFINITION = frozenset({"function", "word", "(", ")", "compound_statement"})
_BODY = frozenset(
    {"compound_statement", "command", "command_name", "pipeline", "list", "negated_command", "redirected_statement"}
    | {"file_redirect", "file_descriptor", "word", "number", "string", "string_content", "raw_string", "concatenation"}
    | {"simple_expansion", "variable_name", "special_variable_name", "command_substitution", "comment"}
    | {"if_statement", "elif_clause", "else_clause", "test_command", "test_operator", "unary_expression"}
)
_CHANGES = frozenset(
    {
        "cd",
        "pushd",
        "popd",
        "set",
        "shift",
        "read",
        "mapfile",
        "readarray",
        "getopts",
        "printf",
        "let",
        "eval",
        "source",
    }
    | {".", "trap", "exec", "alias", "unalias", "hash", "enable", "shopt", "builtin", "command", "wait"}
)


def define(walk: Walk, name: str, node: Node) -> bool:
    """Keep a small function for its calls; whether it is one."""
    if not _own_name(name) or any(child.type not in _DEFINITION for child in node.children) or not _small(walk, node):
        return False
    walk.functions[name] = node.children[-1]
    walk.uncalled.add(name)
    return True


def call(walk: Walk, name: str, words: list[Word], scope: Scope) -> None:
    walk.uncalled.discard(name)
    walk.into = ""
    before, scope.positional = scope.positional, tuple(words)
    walk.visit(walk.functions[name], scope)
    scope.positional = before
    walk.output = ""  # of several commands


def _own_name(name: str) -> bool:
    """Not the name of a program: `pytest() { :; }; pytest` would look like a test that passed."""
    from policy.shell.programs import hostile, registry  # they are written against the walk

    taken = (_NOT_OURS, _CHANGES, registry.KNOWN, registry.SPECIAL, hostile.NAMED, hostile.SUBCOMMANDS)
    return _NAME.fullmatch(name) is not None and not any(name in names for names in taken)


def _small(walk: Walk, node: Node) -> bool:
    stack = [node.children[-1]]
    while stack:
        child = stack.pop()
        if child.is_named and child.type not in _BODY:
            return False
        if child.type == "command_name" and walk.source.of(child) in _CHANGES:
            return False
        stack += child.children
    return node.children[-1].children[0].type == "{"
