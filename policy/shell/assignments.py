"""Assignments and declarations: what a name stands for afterwards, and whether programs would act upon it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tree_sitter

from policy.shell.environment import harmless, settable
from policy.shell.scope import MANY, Elements, Scope, Values

if TYPE_CHECKING:
    from policy.shell.walk import Walk

Node = tree_sitter.Node


def assignment(walk: Walk, node: Node, scope: Scope) -> None:
    name, values = assigned(walk, node, scope)
    if settable(name, scope.environment):
        scope.variables[name] = values
    else:
        walk.record.say("environment", f"Sets {name}, which programs act upon.")
        scope.variables[name] = MANY


def several(walk: Walk, node: Node, scope: Scope) -> None:
    for child in node.children:
        assignment(walk, child, scope)


def assigned(walk: Walk, node: Node, scope: Scope) -> tuple[str, Values]:
    """Name and values of one assignment; an element of an array is not judged."""
    target, operator = node.children[0], node.children[1]
    name = walk.source.of(target)
    if target.type != "variable_name" or walk.source.foreign(node.start_byte, node.start_byte + len(name)):
        walk.strange(node, scope)
        return name, MANY
    if any(child.type == "array" for child in node.children):
        return name, _array(walk, node, scope, name)
    if len(node.children) == 2:
        return name, ("",)
    words = walk.between(node.children[2].start_byte, node.end_byte, scope, quoted=True)
    values = words[0].values if len(words) == 1 else MANY
    return name, values if operator.type == "=" else MANY


def _array(walk: Walk, node: Node, scope: Scope, name: str) -> Values:
    """Its elements, where the array holds nothing else; an index of one's own would be calculated."""
    elements = node.children[2].children[1:-1] if len(node.children) == 3 else []
    if any(walk.source.of(element).startswith("[") for element in elements):
        walk.strange(node, scope)
        return MANY
    words = [
        word for element in elements if element.type not in ("comment", "\n") for word in walk.operands(element, scope)
    ]
    if node.children[1].type == "+=":
        before = scope.look_up(name)
        return Elements((*before.words, *words)) if isinstance(before, Elements) else MANY
    return Elements(tuple(words))


def declaration(walk: Walk, node: Node, scope: Scope) -> None:
    keyword = walk.source.of(node.children[0])
    if keyword not in ("export", "local", "readonly", "declare", "typeset"):
        walk.strange(node, scope)
        return
    if len(node.children) == 1:
        walk.record.say("environment_read", "Prints variables that may hold secrets.")
    for child in node.children[1:]:
        if child.type == "variable_assignment":
            declare(walk, keyword, child, scope)
        elif child.type not in ("variable_name", ";") or keyword != "export":
            walk.strange(node, scope)
        elif child.type == "variable_name":
            name = walk.source.of(child)
            export(walk, name, scope.look_up(name), scope)


def unset(walk: Walk, node: Node, scope: Scope) -> None:
    for child in node.children[1:]:
        name = walk.source.of(child)
        if child.type != "variable_name" or not settable(name, scope.environment):
            walk.record.say("environment", f"Unsets {name}, which programs may act upon.")
        scope.variables[name] = MANY


def declare(walk: Walk, keyword: str, node: Node, scope: Scope) -> None:
    name, values = assigned(walk, node, scope)
    if keyword != "export":
        assignment(walk, node, scope)
        return
    export(walk, name, values, scope)
    scope.variables[name] = values


def export(walk: Walk, name: str, values: Values, scope: Scope) -> None:
    """Programs see it from now on: only what is known to be harmless, or a plain name of the line's own."""
    own = name.islower() and settable(name, scope.environment)
    if not own and not all(harmless(name, value) for value in values):
        walk.record.say("environment", f"Exports {name}, which programs may act upon.")
