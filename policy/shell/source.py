"""A parsed line: the tree, its text, and the proof that the tree hides nothing.

Offsets of the tree are bytes, so every character beyond ASCII is read as one plain letter. Each byte of the line
must belong to a leaf of the tree or be blank; where it doesn't, the line counts as not understood.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

import tree_sitter
import tree_sitter_bash

_LANGUAGE = tree_sitter.Language(tree_sitter_bash.language())
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_BLANK = re.compile(r"(?:[ \t\n]|\\\n)*")
_EXPANSIONS = frozenset(
    {"command_substitution", "process_substitution", "arithmetic_expansion", "expansion", "simple_expansion"}
)
# A leaf of these kinds may hold any text; another that holds a blank was misread.
_ANY_TEXT = frozenset({"string_content", "raw_string", "ansi_c_string", "heredoc_body", "heredoc_content", "comment"})
# Their parts are whole words. A redirection may follow a word at once, but its number then belongs to the word.
_OF_WORDS = frozenset(
    {
        "command",
        "redirected_statement",
        "file_redirect",
        "herestring_redirect",
        "variable_assignment",
        "declaration_command",
    }
    | {"variable_assignments", "for_statement", "case_statement", "case_item", "unset_command", "program", "list"}
    | {
        "pipeline",
        "do_group",
        "compound_statement",
        "subshell",
        "if_statement",
        "while_statement",
        "command_substitution",
    }
    | {"process_substitution", "negated_command", "elif_clause", "else_clause", "heredoc_redirect"}
)
# One without blanks: the parser takes `$ x` for one, the shell for a dollar and a word.
_SIMPLE = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])")
# A bare new line ends them.
_OF_ONE_LINE = frozenset({"command", "test_command", "declaration_command", "unset_command", "file_redirect"})
# Their parts make one word.
_UNBROKEN = frozenset(
    {"simple_expansion", "concatenation", "variable_assignment", "brace_expression", "file_descriptor"}
)
_APART = frozenset({"file_redirect", "herestring_redirect", "heredoc_redirect", "heredoc_body", "heredoc_end"})
MAX_NODES = 3000


@dataclass
class Source:
    text: str
    written: str
    root: tree_sitter.Node
    valid: bool
    expansions: dict[int, tree_sitter.Node] = field(default_factory=dict)
    doubt: str = ""
    fault: str = ""

    def of(self, node: tree_sitter.Node) -> str:
        return self.text[node.start_byte : node.end_byte]

    def shown(self, node: tree_sitter.Node) -> str:
        return self.written[node.start_byte : node.end_byte]

    def foreign(self, start: int, end: int) -> bool:
        """Whether a character beyond ASCII stands there."""
        return not self.written[start:end].isascii()


def parse(line: str) -> Source:
    text = line if line.isascii() else _FOREIGN.sub("U", line)
    # A parser keeps state while it works, so each line gets its own; that costs microseconds.
    root = tree_sitter.Parser(_LANGUAGE).parse(text.encode("ascii")).root_node
    source = Source(text, line, root, not root.has_error)
    if source.valid:
        _inspect(source)
    else:
        source.fault = _fault(source)
    return source


def _fault(source: Source) -> str:
    """Where it stops to be bash, as far as the parser can tell."""
    stack = [source.root]
    while stack:
        node = stack.pop()
        if node.is_missing:
            return f": {node.type!r} is missing"
        if node.type == "ERROR":
            return f": it can't be read at {source.shown(node).strip()[:40]!r}"
        stack.extend(reversed([child for child in node.children if child.has_error or child.is_missing]))
    return ""


def _inspect(source: Source) -> None:
    """Walks the leaves in order without recursion: the depth of a line is its author's choice."""
    stack, covered, seen = [source.root], 0, 0
    while stack:
        node = stack.pop()
        seen += 1
        if seen > MAX_NODES:
            source.doubt = "has too many parts"
            return
        if node.type in _EXPANSIONS:
            _expansion(source, node)
        if node.child_count:
            children = node.children
            if node.type in _OF_WORDS and _run_together(node.type, children):
                source.doubt = "has words that run into each other"
            if node.type in _UNBROKEN and _broken(children):
                source.doubt = "has a word with blanks inside of it"
            if node.type in _OF_ONE_LINE and _lines_apart(source, node, children):
                source.doubt = "has a command that goes over a line's end"
            stack.extend(reversed(children))
            continue
        covered = _cover(source, node, covered)
    if _BLANK.fullmatch(source.text, covered) is None:
        source.doubt = "has an end that can't be read"


def _expansion(source: Source, node: tree_sitter.Node) -> None:
    """Between two expansions in quotes the parser gives the blanks to the second."""
    text = source.of(node)
    within = text.lstrip(" \t") if node.parent is not None and node.parent.type == "string" else text
    if node.type != "simple_expansion" or _SIMPLE.fullmatch(within):
        source.expansions.setdefault(node.start_byte + len(text) - len(within), node)


def _run_together(kind: str, children: list[tree_sitter.Node]) -> bool:
    """Two parts with nothing between them are one word to the shell, unless the second is a redirection."""
    for left, right in itertools.pairwise(children):
        named = (left.is_named or left.type == "$") and right.is_named
        if (named or kind == "command") and right.type not in _APART and left.end_byte == right.start_byte:
            return True
        redirects = right.type == "file_redirect" and left.end_byte == right.start_byte
        # A number, or {name}, before the arrow is part of the redirection.
        if redirects and (right.children[0].is_named or (left.text or b"}").endswith(b"}")):
            return kind in ("command", "redirected_statement")
    return False


def _broken(children: list[tree_sitter.Node]) -> bool:
    return any(left.end_byte != right.start_byte for left, right in itertools.pairwise(children))


def _lines_apart(source: Source, node: tree_sitter.Node, children: list[tree_sitter.Node]) -> bool:
    if node.type == "test_command" and children[0].type == "[[":
        return False
    gaps = (source.text[left.end_byte : right.start_byte] for left, right in itertools.pairwise(children))
    return any("\n" in gap.replace("\\\n", "") for gap in gaps)


def _cover(source: Source, node: tree_sitter.Node, covered: int) -> int:
    start, end = node.start_byte, node.end_byte
    if start > covered and not _skipped(source, covered, start):
        source.doubt = f"has a part that can't be read near {source.written[covered:start][:20]!r}"
    if node.type == "comment" and not _comment(source.text, start, end):
        source.doubt = "has a # that may not begin a comment"
    return max(covered, end)


def _skipped(source: Source, covered: int, start: int) -> bool:
    """Blanks only. A joined line alone separates nothing: the shell reads one word where the tree has two."""
    gap = source.text[covered:start]
    return _BLANK.fullmatch(gap) is not None and gap.replace("\\\n", "") != ""


def _comment(text: str, start: int, end: int) -> bool:
    return text[start] == "#" and (start == 0 or text[start - 1] in " \t\n;") and "\n" not in text[start:end]
