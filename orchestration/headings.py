"""The outline of a Markdown document: headings, tables, list lines, and which text stands under which heading.

Called by documents (outline) and phases. Reads blocks with a real Markdown parser, so that a `#` in a code block
or a comment is no heading. Never renders anything.
"""

import itertools
import re
from dataclasses import dataclass

from markdown_it import MarkdownIt

_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_MARKS = re.compile(r"[*`~]+|(?<!\w)_+|_+(?!\w)")
_CLOSING_ANCHOR = re.compile(r"\s*\{#[\w-]+\}\s*$")


ITEM_LEVEL = 7
MAX_LINE = 500
MAX_PARSED = 300_000  # what lies beyond has text, and no headings


@dataclass(frozen=True)
class Heading:
    level: int
    text: str
    line: int


@dataclass(frozen=True)
class Outline:
    lines: tuple[str, ...]
    headings: tuple[Heading, ...]
    tables: tuple[tuple[tuple[str, ...], ...], ...]
    items: tuple[Heading, ...]

    def section(self, start: int, end: int) -> str:
        return "\n".join(self.lines[start:end]).strip()


def read_outline(body: str) -> Outline:
    """`items` are paragraphs and list lines that open in bold: some documents use them instead of headings."""
    tokens = _parser().parse(body[:MAX_PARSED])
    headings: list[Heading] = []
    items: list[Heading] = []
    tables: list[list[tuple[str, ...]]] = []
    for opening, content in itertools.pairwise(tokens):
        line = opening.map[0] if opening.map else 0
        if opening.type == "heading_open" and opening.level == 0:
            headings.append(Heading(int(opening.tag[1]), plain(content.content), line))
        elif opening.type == "paragraph_open" and content.content.startswith("**"):
            items.append(Heading(ITEM_LEVEL, plain(content.content.split("\n")[0]), line))
        elif opening.type == "table_open":
            tables.append([])
        elif opening.type == "tr_open" and tables:
            tables[-1].append(())
        elif opening.type in ("th_open", "td_open") and tables:
            tables[-1][-1] = (*tables[-1][-1], plain(content.content))
    return Outline(
        lines=tuple(body.split("\n")),
        headings=tuple(headings),
        tables=tuple(tuple(rows) for rows in tables),
        items=tuple(items),
    )


def plain(text: str) -> str:
    """The words of a line of Markdown: no emphasis, code marks, links, tags or anchors."""
    text = _CLOSING_ANCHOR.sub("", text[:MAX_LINE])
    text = _LINK.sub(r"\1", text)
    text = _TAG.sub(" ", text)
    return " ".join(_MARKS.sub("", text).split())


def _parser() -> MarkdownIt:
    """Blocks only: inline parsing would cost most of the time and none of it is used."""
    return MarkdownIt("commonmark").enable("table").disable("inline", ignoreInvalid=True)
