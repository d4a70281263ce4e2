"""Walks the tree of a line in the order the shell would, with what is known at each point.

Every command that the line could run is visited, whichever branch it stands in; parts of the grammar that aren't
listed here make the line one that isn't understood, and are still searched for what they would run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import tree_sitter

from policy.shell import arithmetic, assignments, branches, functions, heredocs, marks, redirects, variables
from policy.shell.record import Record
from policy.shell.redirects import empties
from policy.shell.scope import MANY, Scope, Values
from policy.shell.source import Source
from policy.shell.words import Word, read_words, spliced

Node = tree_sitter.Node
MAX_DEPTH = 24
MAX_COMMANDS = 50
_REDIRECTS = frozenset({"file_redirect", "herestring_redirect", "heredoc_redirect"})
# Commands that print nothing: a file they are redirected to is emptied.
_SAY_NOTHING = frozenset({":", "true", "false", "cat /dev/null", "echo -n", "printf ''", 'printf ""'})
_SILENT = frozenset({"comment", ";", "&", "\n", "&&", "||", "|", "|&", "(", ")", "{", "}", ";;", "!", "do", "done"})


class Walk:
    """One line. `classify` is handed each simple command as words."""

    def __init__(self, source: Source, record: Record, classify: Classify, depth: int = 0) -> None:
        self.source, self.record, self.classify, self.depth = source, record, classify, depth
        self.commands = 0
        self.output = ""  # what the last command prints, if a later one may rely on it
        self.feed = ""  # what the command's input holds
        self.into = ""  # the command that its output goes to, as written, where it goes nowhere else
        self.alone = False  # whether the command stands by itself at the top of the line
        self.landed: tuple[str | None, ...] | None = None  # where a `cd` leads if it works
        self.functions: dict[str, Node] = {}  # small ones, by name
        self.uncalled: set[str] = set()

    def unknown(self, node: Node, why: str) -> None:
        self.record.say("unknown", f"{why}: {self.source.shown(node).strip()[:80]}")

    def visit(self, node: Node, scope: Scope, redirected: Nodes = ()) -> Scope:
        """`scope` becomes what holds afterwards, come what may; what holds where it succeeded is handed back."""
        handler = _HANDLERS.get(node.type)
        if handler is None:
            self.strange(node, scope)
            return scope
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.unknown(node, "Nested too deeply to be understood")
            self.depth -= 1
            return scope
        if node.type in _CARRIES:
            succeeded = _CARRIES[node.type](self, node, scope, redirected)
        else:
            extra = self.redirections(redirected, scope)
            if extra:
                self.unknown(node, "Has words after a redirection that can't be placed")
            succeeded = handler(self, node, scope) or scope
        self.depth -= 1
        return succeeded

    def each(self, nodes: Iterable[Node], scope: Scope) -> Scope:
        succeeded = scope
        for node in nodes:
            if node.type not in _SILENT:
                succeeded = self.visit(node, scope)
        return succeeded

    def strange(self, node: Node, scope: Scope) -> None:
        if node.type != "ERROR":  # the line is denied for that
            self.unknown(node, f"Uses a part of the shell that is not judged here ({node.type.replace('_', ' ')})")
        self.search(node, scope)

    def search(self, node: Node, scope: Scope) -> None:
        """What a part that isn't understood would run is looked at all the same."""
        for child in node.children:
            if child.type in _HANDLERS:
                self.visit(child, scope)
            elif child.child_count and self.depth < MAX_DEPTH:
                self.depth += 1
                self.search(child, scope)
                self.depth -= 1

    # Lists and branches

    def program(self, node: Node, scope: Scope) -> None:
        self.each(node.children, scope)
        for name in sorted(self.uncalled):
            self.unjudged(name, self.functions[name], scope)

    def listed(self, node: Node, scope: Scope, redirected: Nodes) -> Scope:
        """`a && b`: b starts where a succeeded; after it either may have happened. A redirection is the last one's."""
        left, operator, right = node.children[0], node.children[1], node.children[-1]
        first = self.visit(left, scope)
        after = (first if operator.type == "&&" else scope).copy()
        second = self.visit(right, after, redirected)
        scope.join(after)
        if operator.type == "&&":
            return second
        first = first.copy()
        first.join(second)
        return first

    def pipeline(self, node: Node, scope: Scope, redirected: Nodes) -> Scope:
        feed = self.feed
        stages = [stage for stage in node.children if stage.type not in _SILENT]
        for stage, following in zip(stages, [*stages[1:], None], strict=True):
            self.output, self.into = "", self._receiver(stage, following)
            self.visit(stage, scope.copy(), () if following else redirected)
            self.feed, self.into = self.output or "text", ""
        self.feed = feed
        return scope

    def _receiver(self, stage: Node, following: Node | None) -> str:
        alone = stage.type == "command" and not any(child.type in _REDIRECTS for child in stage.children)
        return self.source.of(following) if alone and following is not None else ""

    def negated(self, node: Node, scope: Scope, redirected: Nodes) -> Scope:
        for child in node.children:
            if child.type not in _SILENT:
                self.visit(child, scope, redirected)
        return scope

    def subshell(self, node: Node, scope: Scope) -> None:
        self.each(node.children, scope.copy())

    def compound(self, node: Node, scope: Scope) -> Scope:
        if node.children and node.children[0].type == "((":
            self.record.say("compute", "Calculates.")
            self.calculate_all(node, node.children[1:-1], scope)
            return scope
        return self.each(node.children, scope)

    def calculate_all(self, node: Node, parts: Iterable[Node], scope: Scope) -> None:
        for part in parts:
            if part.type not in (";", ","):
                self._calculate(part, scope)

    def _calculate(self, node: Node, scope: Scope) -> bool:
        if arithmetic.known(self.source, node, scope):
            return True
        self.unknown(node, "Calculates with values that may hold code")
        self.search(node, scope)
        return False

    # Definitions

    def function(self, node: Node, scope: Scope) -> None:
        name = self.source.of(node.children[1 if node.children[0].type == "function" else 0])
        if _bomb(self.source, node, name):
            self.record.say("exhaustion", f"Starts {name} over and over until the machine gives up.")
        if _by_itself(node) and functions.define(self, name, node):
            return
        self.unjudged(name, node, scope)

    def unjudged(self, name: str, node: Node, scope: Scope) -> None:
        """A function, or its body, that may be called from anywhere, with anything."""
        self.unknown(node, f"Defines a function, {name}")
        inside = scope.copy()
        inside.cwds, inside.variables, inside.positional = (None,), {}, None
        self.each([node] if node.type == "compound_statement" else _bodies(node), inside)

    # Commands

    def redirected(self, node: Node, scope: Scope, outer: Nodes) -> Scope:
        feed = self.feed
        redirects = [*(child for child in node.children if child.type in _REDIRECTS), *outer]
        body = [child for child in node.children if child.type not in _REDIRECTS]
        if len(body) > 1:
            self.unknown(node, "Has redirections that can't be placed")
        if not body:
            self.record.say("compute", "Opens a file.")
            self.redirections(redirects, scope)
        if not body or self.source.of(body[0]).strip() in _SAY_NOTHING:
            for redirect in redirects:
                empties(self, redirect, scope)
        succeeded = scope
        for child in body:
            succeeded = self.visit(child, scope, redirects)
        self.feed = feed
        return succeeded

    def redirections(self, nodes: Nodes, scope: Scope) -> list[Word]:
        return [word for node in nodes for word in self.redirect(node, scope)]

    def redirect(self, node: Node, scope: Scope) -> list[Word]:
        """Words that follow the target belong to the command."""
        if node.type == "heredoc_redirect":
            self.feed = "text"
            return heredocs.read(self, node, scope)
        if node.type == "herestring_redirect":
            self.feed = "text"
            self.words(node.children[-1], scope)
            return []
        return redirects.read(self, node, scope)

    def command(self, node: Node, scope: Scope, redirected: Nodes) -> Scope:
        self.commands += 1
        if self.commands > MAX_COMMANDS:
            self.unknown(node, f"Has more than {MAX_COMMANDS} commands")
            return scope
        words: list[Word] = []
        prefix: list[tuple[str, Values]] = []
        for child in node.children:
            if child.type == "variable_assignment":
                prefix.append(assignments.assigned(self, child, scope))
            elif child.type in _REDIRECTS:
                words += self.redirect(child, scope)
            else:
                words += self.operands(child, scope)
        words += self.redirections(redirected, scope)
        self.output, self.landed = "", None
        self.alone = self.depth <= 2 and _by_itself(node)
        if words and not prefix and words[0].text in self.functions and words[0].bare:
            functions.call(self, words[0].raw, words[1:], scope)
            return scope
        self.classify(self, words, prefix, scope, self.source.shown(node))
        if self.landed is None:
            return scope
        succeeded = scope.copy()
        succeeded.cwds, self.landed = self.landed, None
        return succeeded

    def test(self, node: Node, scope: Scope) -> None:
        """[ ] is a command whose words must be read as words; [[ ]] is grammar."""
        if node.children[0].type == "[[":
            variables.double_bracket(self, node, scope)
        else:
            self._single_bracket(node, scope)

    def _single_bracket(self, node: Node, scope: Scope) -> None:
        spans = variables.leaves_as_words(self.source, node)
        if spans is None:
            self.strange(node, scope)
            return
        words = [word for start, end in spans for word in self.between(start, end, scope)]
        self.commands += 1
        self.classify(self, [Word(("test",), "["), *words], [], scope, self.source.shown(node))

    # Words and expansions

    def words(self, node: Node, scope: Scope) -> list[Word]:
        return self.between(node.start_byte, node.end_byte, scope)

    def operands(self, node: Node, scope: Scope) -> list[Word]:
        """The same where a list may stand: "$@" and "${array[@]}" are each of their words."""
        known = variables.listed(self.source.of(node), scope)
        return self.words(node, scope) if known is None else list(known)

    def between(self, start: int, end: int, scope: Scope, quoted: bool = False) -> list[Word]:
        def expand(node: Node, in_quotes: bool) -> Values:
            return self.expansion(node, scope, in_quotes or quoted)

        words = read_words(self.source, start, end, expand)
        if any(word.lost for word in words):
            written = self.source.written[start:end]
            self.record.say("unknown", f"Holds a word that can't be read with certainty: {written[:80]}")
        return words

    def expansion(self, node: Node, scope: Scope, quoted: bool) -> Values:
        kind = node.type
        if kind == "arithmetic_expansion":
            inner = [child for child in node.children if child.type not in ("$((", "))", "$[", "]")]
            known = not [child for child in inner if not self._calculate(child, scope)]
            return (marks.NUMBER,) if known else MANY
        if kind in ("command_substitution", "process_substitution"):
            return self._substitution(node, scope, quoted)
        return spliced(variables.value_of(self, node, scope), quoted)

    def _substitution(self, node: Node, scope: Scope, quoted: bool) -> Values:
        written = self.source.of(node).lstrip(" \t")
        if written.startswith("`") and "\\" in written:
            self.unknown(node, "Uses escapes in backticks")
        inner = Walk(self.source, self.record, self.classify, self.depth + 1)
        inner.commands, inner.functions, inner.uncalled = self.commands, self.functions, self.uncalled
        inside = scope.copy()
        body = [child for child in node.children if child.type not in ("$(", ")", "`", "<(", ">(")]
        for child in body:
            if child.type == "file_redirect" and len(body) == 1:
                redirects.read(inner, child, inside)
            elif child.type not in _SILENT:
                inner.visit(child, inside)
        self.commands = inner.commands
        if node.type == "process_substitution":
            return (marks.PIPE,)
        known = _OUTPUTS.get(inner.output) if len(body) == 1 else None
        return known if known is not None else (marks.ANY,) if quoted else MANY


def _by_itself(node: Node) -> bool:
    """At the top of the line, and not behind it in the background."""
    following = node.next_sibling
    return node.parent is not None and node.parent.type == "program" and (following is None or following.type != "&")


def _bodies(node: Node) -> list[Node]:
    return [child for child in node.children if child.type == "compound_statement"]


def _bomb(source: Source, node: Node, name: str) -> bool:
    """A function that calls itself in a pipe or behind itself."""
    text = source.of(node)
    return text.count(name) > 1 and re.search(r"[|&]", text) is not None and variables.calls(source, node, name)


Nodes = Sequence[Node]
# Judges one program: its words after the name, and the whole command as written.
Judge = Callable[[Walk, list[Word], Scope, str], None]
Classify = Callable[[Walk, list[Word], list[tuple[str, Values]], Scope, str], None]

_OUTPUTS: dict[str, Values] = {
    "number": (marks.NUMBER,),
    "slug": (marks.SLUG,),
    "workspace": (marks.WORKSPACE,),
    "paths": (marks.FOUND,),
    "listing": (marks.LISTED,),
}
# These hand redirections on to a part of them; the others open them first.
_CARRIES: dict[str, Callable[[Walk, Node, Scope, Nodes], Scope]] = {
    "list": Walk.listed,
    "pipeline": Walk.pipeline,
    "negated_command": Walk.negated,
    "redirected_statement": Walk.redirected,
    "command": Walk.command,
}
_HANDLERS: dict[str, Callable[[Walk, Node, Scope], Scope | None]] = {
    **dict.fromkeys(_CARRIES, lambda walk, node, scope: None),
    "program": Walk.program,
    "subshell": Walk.subshell,
    "compound_statement": Walk.compound,
    "if_statement": branches.conditional,
    "case_statement": branches.case,
    "while_statement": branches.repeated,
    "for_statement": branches.for_each,
    "c_style_for_statement": branches.counting,
    "function_definition": Walk.function,
    "variable_assignment": assignments.assignment,
    "variable_assignments": assignments.several,
    "declaration_command": assignments.declaration,
    "unset_command": assignments.unset,
    "test_command": Walk.test,
}
