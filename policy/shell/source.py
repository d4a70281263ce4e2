"""A parsed line: the tree, its text, and the proof that the tree hides nothing.

Offsets of the tree are bytes, so every character beyond ASCII is read as one plain letter. Each byte of the line
must belong to a leaf of the tree or be blank; where it doesn't, the line counts as not understood.
"""

from __future__ import annotations

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
MAX_NODES = 3000


@dataclass
class Source:
    text: str
    written: str
    root: tree_sitter.Node
    valid: bool
    expansions: dict[int, tree_sitter.Node] = field(default_factory=dict)
    doubt: str = ""

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
    return source


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
            source.expansions.setdefault(node.start_byte, node)
        if node.child_count:
            stack.extend(reversed(node.children))
            continue
        covered = _cover(source, node, covered)
    if _BLANK.fullmatch(source.text, covered) is None:
        source.doubt = "has an end that can't be read"


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
