"""Variables: what an expansion may stand for, what an assignment leaves, what a loop makes uncertain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import tree_sitter

from policy.shell import arithmetic, marks, trimming
from policy.shell.environment import SECRET_NAME
from policy.shell.scope import MANY, Elements, Scope, Values
from policy.shell.source import Source
from policy.shell.words import Word

if TYPE_CHECKING:
    from policy.shell.walk import Walk

Node = tree_sitter.Node
_NUMBERS = frozenset({"$?", "$#", "$$", *(f"${{PIPESTATUS[{at}]}}" for at in range(10))})
_NAME = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")
_TRIMMED = re.compile(r"\$\{([A-Za-z_]\w*)(%%?|##?|/|//|\^\^?|,,?)([^$`(){}]*)\}")
_DEFAULT = re.compile(r"\$\{([A-Za-z_]\w*):?([-+?])([\w./ :,@%+-]*)\}")
_ALL = re.compile(r'"\$\{([A-Za-z_]\w*)\[@\]\}"')
_LENGTH = re.compile(r"\$\{#([A-Za-z_]\w*)(\[[@*]\])?\}")
_ELEMENT = re.compile(r"\$\{([A-Za-z_]\w*)\[(\d+|[@*])\]\}")
_ARITHMETIC_TESTS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_TEST_FLAGS = frozenset(f"-{letter}" for letter in "bcdefghknoprstuwxzGLNOS")
_ACTED_UPON = frozenset("<>()|&;\n")
_GLUE = frozenset({"[[", "]]", "&&", "||", "!", "(", ")", "=", "==", "!=", "=~", "<", ">"})


def value_of(walk: Walk, node: Node, scope: Scope) -> Values:
    text = walk.source.of(node).lstrip(" \t")
    if text in _NUMBERS:
        return (marks.NUMBER,)
    if text == "$!":
        return ("", marks.NUMBER)
    found = _NAME.fullmatch(text)
    if found:
        return _look_up(walk, found[1], scope)
    if node.type == "simple_expansion":
        return _positional(text, scope)
    if _LENGTH.fullmatch(text):
        return (marks.NUMBER,)
    return _modified(walk, node, text, scope)


def _positional(text: str, scope: Scope) -> Values:
    if scope.positional is None or not text[1:].isdecimal() or text == "$0":
        return MANY
    place = int(text[1:])
    return scope.positional[place - 1].values if place <= len(scope.positional) else ("",)


def listed(text: str, scope: Scope) -> tuple[Word, ...] | None:
    """The words that "$@" or "${array[@]}" stands for, where they are known."""
    if text == '"$@"':
        return scope.positional
    found = _ALL.fullmatch(text)
    values = scope.look_up(found[1]) if found else MANY
    return values.words if isinstance(values, Elements) else None


def _look_up(walk: Walk, name: str, scope: Scope) -> Values:
    if name == "PWD" and "PWD" not in scope.variables:
        return tuple(
            marks.WORKSPACE + (f"/{cwd}" if cwd else "") if cwd is not None else marks.MANY for cwd in scope.cwds
        )
    if name not in scope.variables and name not in scope.granted and SECRET_NAME.fullmatch(name):
        walk.record.say("secret_variable", f"Uses ${name}, which may hold a secret.")
    return scope.look_up(name)


def _modified(walk: Walk, node: Node, text: str, scope: Scope) -> Values:
    found = _DEFAULT.fullmatch(text)
    if found:
        values = _look_up(walk, found[1], scope)
        return MANY if found[2] != "-" or marks.MANY in values else tuple(dict.fromkeys((*values, found[3])))
    found = _TRIMMED.fullmatch(text)
    if found:
        values = _look_up(walk, found[1], scope)
        # Beyond ASCII two characters that differ read alike here, so what is cut off isn't known.
        return trimming.trimmed(values, found[2], found[3]) if walk.source.written.isascii() else MANY
    found = _ELEMENT.fullmatch(text)
    if found:
        _look_up(walk, found[1], scope)
        return MANY
    walk.unknown(node, "Uses an expansion that is not judged here")
    walk.search(node, scope)
    return MANY


def widen(source: Source, node: Node, scope: Scope) -> None:
    """A loop's body may run again: whatever it assigns is uncertain from its start."""
    for child in _inside(node):
        if child.type == "command" and source.of(child.children[0]) in ("cd", "pushd", "popd"):
            scope.cwds = (None,)
        elif child.type == "command" and source.of(child.children[0]) in ("read", "mapfile", "readarray", "getopts"):
            _forget(source, child, scope)
        elif child.type == "variable_assignment":
            _widen_assigned(source, child, scope)
        elif child.type in ("postfix_expression", "unary_expression", "binary_expression"):
            _widen_calculated(source, child, scope)


def _forget(source: Source, node: Node, scope: Scope) -> None:
    for child in node.children[1:]:
        scope.variables[source.of(child)] = MANY


def _widen_assigned(source: Source, node: Node, scope: Scope) -> None:
    name = source.of(node.children[0])
    value = node.children[2] if len(node.children) > 2 else None
    in_calculation = node.parent is not None and node.parent.type in ("c_style_for_statement", "arithmetic_expansion")
    counts = value is not None and (value.type in ("arithmetic_expansion", "number") or in_calculation)
    if counts and (name not in scope.variables or arithmetic.numeric(scope, name)):
        # Not set before the loop: the calculation itself starts from what is known then.
        if name in scope.variables:
            scope.variables[name] = (marks.NUMBER,)
        return
    scope.variables[name] = MANY


def _widen_calculated(source: Source, node: Node, scope: Scope) -> None:
    if not any(child.type in ("++", "--") or child.type.endswith("=") for child in node.children):
        return
    for child in node.children:
        if child.type in ("variable_name", "word"):
            name = source.of(child)
            scope.variables[name] = (marks.NUMBER,) if arithmetic.numeric(scope, name) else MANY


def calls(source: Source, node: Node, name: str) -> bool:
    return any(child.type == "command_name" and source.of(child) == name for child in _inside(node))


def _inside(node: Node) -> Iterator[Node]:
    stack = list(node.children)
    while stack:
        child = stack.pop()
        yield child
        if child.type not in ("subshell", "command_substitution"):
            stack += child.children


def leaves_as_words(source: Source, node: Node) -> list[tuple[int, int]] | None:
    """The words between [ and ]. None where a mark stands there that the shell would act upon."""
    spans: list[tuple[int, int]] = []
    stack = list(reversed(node.children[1:-1]))
    while stack:
        child = stack.pop()
        if child.type in ("binary_expression", "unary_expression", "parenthesized_expression", "concatenation"):
            stack += reversed(child.children)
        elif not child.is_named and set(source.of(child)) & _ACTED_UPON:
            return None
        elif spans and spans[-1][1] == child.start_byte:
            spans[-1] = (spans[-1][0], child.end_byte)
        else:
            spans.append((child.start_byte, child.end_byte))
    ends = [node.start_byte + 1, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), node.end_byte - 1]
    gaps = [source.text[end:start] for end, start in zip(ends, starts, strict=True)]
    return None if any("\n" in gap or not gap for gap in gaps) else spans


def double_bracket(walk: Walk, node: Node, scope: Scope) -> None:
    """[[ ]]: number comparisons calculate, the rest only looks."""
    walk.record.say("compute", "Tests a condition.")
    stack = list(node.children)
    while stack:
        child = stack.pop()
        if child.type in ("binary_expression", "unary_expression", "parenthesized_expression"):
            _bracket_part(walk, child, scope, stack)
        elif child.type not in _GLUE and child.type != "test_operator":
            _bracket_operand(walk, child, scope)


def _bracket_part(walk: Walk, node: Node, scope: Scope, stack: list[Node]) -> None:
    operators = {walk.source.of(child) for child in node.children if child.type == "test_operator"}
    if operators & _ARITHMETIC_TESTS:
        operands = [child for child in node.children if child.type != "test_operator"]
        if not all(_counts(walk, child, scope) for child in operands):
            walk.unknown(node, "Compares values that may hold code")
    elif operators - _TEST_FLAGS:
        walk.unknown(node, "Uses a test that is not judged here")
    stack += node.children


def _counts(walk: Walk, node: Node, scope: Scope) -> bool:
    inner = node.children[1] if node.type == "string" and len(node.children) == 3 else node
    return arithmetic.known(walk.source, inner, scope)


def _bracket_operand(walk: Walk, node: Node, scope: Scope) -> None:
    if node.type in ("extglob_pattern", "regex") and not re.search(r"[$`]", walk.source.of(node)):
        return
    walk.words(node, scope)
