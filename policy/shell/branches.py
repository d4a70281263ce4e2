"""Branches and loops: every way through is walked, and what may have happened on the others stays possible.

The body of a loop may run again, so what it changes is not known when it starts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tree_sitter

from policy.shell import marks, variables
from policy.shell.environment import settable
from policy.shell.scope import MANY, Scope, Values

if TYPE_CHECKING:
    from policy.shell.walk import Walk

Node = tree_sitter.Node
_WORDS_OF_IF = frozenset({"if", "then", "elif", "else", "fi", ";", "\n", "comment"})


def conditional(walk: Walk, node: Node, scope: Scope) -> None:
    """Each branch from where the conditions left off; after it any may have happened."""
    started = scope.copy()
    for child in node.children:
        if child.type in ("elif_clause", "else_clause"):
            branch = started.copy()
            branch.join(scope)
            walk.each([part for part in child.children if part.type not in _WORDS_OF_IF], branch)
            scope.join(branch)
        elif child.type not in _WORDS_OF_IF:
            branch = scope.copy()
            walk.each([child], branch)
            scope.join(branch)


def case(walk: Walk, node: Node, scope: Scope) -> None:
    for child in node.children:
        if child.type == "case_item":
            branch = scope.copy()
            _case_item(walk, child, branch)
            scope.join(branch)
        elif child.type not in ("case", "in", "esac", "\n", ";"):
            walk.words(child, scope)


def _case_item(walk: Walk, node: Node, scope: Scope) -> None:
    in_pattern = True
    for child in node.children:
        if child.type == ")":
            in_pattern = False
        elif in_pattern and child.type not in ("|", "("):
            _pattern(walk, child, scope)
        elif not in_pattern and child.type not in ("|", "(", ";;", ";&", ";;&", "\n", ";"):
            walk.visit(child, scope)


def _pattern(walk: Walk, node: Node, scope: Scope) -> None:
    if node.type not in ("word", "string", "raw_string", "number", "extglob_pattern", "concatenation") or re.search(
        r"[$`(]", walk.source.of(node)
    ):
        walk.strange(node, scope)


def repeated(walk: Walk, node: Node, scope: Scope) -> None:
    before = scope.copy()
    variables.widen(walk.source, node, scope)
    inside = scope.copy()
    for child in node.children:
        if child.type not in ("while", "until", "do_group", ";", "\n"):
            walk.visit(child, inside)
    _body(walk, node, inside)
    scope.join(inside)
    scope.join(before)


def for_each(walk: Walk, node: Node, scope: Scope) -> None:
    if node.children[0].type != "for":
        walk.strange(node, scope)
        return
    name = walk.source.of(node.children[1])
    values = _loop_values(walk, node, scope)
    variables.widen(walk.source, node, scope)
    inside = scope.copy()
    if not settable(name, scope.environment):
        walk.record.say("environment", f"Sets {name}, which programs act upon.")
    inside.variables[name] = values
    _body(walk, node, inside)
    scope.join(inside)


def _loop_values(walk: Walk, node: Node, scope: Scope) -> Values:
    found: list[str] = []
    for child in node.children[3:] if len(node.children) > 2 and node.children[2].type == "in" else []:
        if child.type in ("do_group", ";", "\n"):
            continue
        for word in walk.operands(child, scope):
            found += [value.replace(marks.MANY, marks.ANY) for value in word.values]
    return tuple(dict.fromkeys(found)) if 0 < len(found) <= 32 else MANY


def counting(walk: Walk, node: Node, scope: Scope) -> None:
    """for ((i = 0; i < 3; i++))"""
    variables.widen(walk.source, node, scope)
    inside = scope.copy()
    closing = next((at for at, child in enumerate(node.children) if child.type == "))"), 0)
    walk.calculate_all(node, node.children[2:closing], inside)
    _body(walk, node, inside)
    scope.join(inside)


def _body(walk: Walk, node: Node, scope: Scope) -> None:
    for child in node.children:
        if child.type in ("do_group", "compound_statement"):
            walk.each(child.children, scope)
