"""Whether a calculation only calculates.

The shell reads a variable's text as an expression again, and an array index in it may run a command. So every name
must be known to hold a number.
"""

from __future__ import annotations

import re

import tree_sitter

from policy.shell import marks
from policy.shell.environment import settable
from policy.shell.scope import Scope
from policy.shell.source import Source

_NUMERIC = re.compile(rf"[+-]?[\d{marks.NUMBER}]+")
_GROUPS = frozenset(
    {"binary_expression", "unary_expression", "postfix_expression", "parenthesized_expression", "ternary_expression"}
)
_NUMBERED = frozenset("?#!$0123456789") - {"0"}


def known(source: Source, node: tree_sitter.Node, scope: Scope) -> bool:
    if node.type in _GROUPS:
        return _assigns_own(source, node, scope) and all(known(source, child, scope) for child in node.children)
    if node.type == "variable_assignment":
        return _assignment(source, node, scope)
    if node.type in ("variable_name", "word"):
        return numeric(scope, source.of(node))
    if node.type in ("simple_expansion", "expansion"):
        name = source.of(node).strip("${}")
        return name in ("?", "#", "$") or numeric(scope, name)
    if node.type == "number":
        return re.fullmatch(r"\d+(#\w+)?|0[xX][0-9a-fA-F]+", source.of(node)) is not None
    return not node.is_named


def numeric(scope: Scope, name: str) -> bool:
    return all(_NUMERIC.fullmatch(value) for value in scope.look_up(name))


def _assigns_own(source: Source, node: tree_sitter.Node, scope: Scope) -> bool:
    """An assignment, or ++, makes a number of a name; the name must be the line's own."""
    operators = {child.type for child in node.children if not child.is_named}
    changing = {operator for operator in operators if operator in ("++", "--") or operator.endswith("=")}
    if not changing - {"==", "!=", "<=", ">="}:
        return True
    target = node.children[0] if node.children[0].is_named else node.children[-1]
    name = source.of(target)
    if target.type not in ("variable_name", "word") or not settable(name, scope.environment):
        return False
    if "=" in operators:
        scope.variables[name] = (marks.NUMBER,)
    return True


def _assignment(source: Source, node: tree_sitter.Node, scope: Scope) -> bool:
    name = source.of(node.children[0])
    if node.children[0].type != "variable_name" or not settable(name, scope.environment):
        return False
    if not all(known(source, child, scope) for child in node.children[2:]):
        return False
    scope.variables[name] = (marks.NUMBER,)
    return True
