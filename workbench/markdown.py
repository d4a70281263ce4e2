"""Documents of a repository as HTML. They are untrusted: no HTML of theirs, no images, links only to http and https."""

from __future__ import annotations

import functools
from collections.abc import MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

LONGEST = 200_000


def as_html(text: str, title: str = "") -> SafeString:
    """The beginning of the text at least, however long it is; a first heading that repeats the page's title goes."""
    first, _, rest = text.lstrip().partition("\n")
    text = rest if first.startswith("# ") and first[2:].strip() == title else text
    return mark_safe(str(_parser().render(text[:LONGEST])))  # noqa: S308


@functools.lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    # The page has a title of its own: what the document calls its first heading is the second here.
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("link_close", _link_close)
    parser.add_render_rule("image", _image)
    parser.add_render_rule(
        "table_open", lambda *given: '<div class="table-scroll" tabindex="0"><table class="table">\n'
    )
    parser.add_render_rule("table_close", lambda *given: "</table></div>\n")
    for name in ("th_open", "td_open"):
        parser.add_render_rule(name, _cell)
    return parser


def _heading(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
    token = tokens[index]
    level = min(int(token.tag[1]) + 1, 6)
    return f"<h{level}>" if token.nesting == 1 else f"</h{level}>\n"


def _cell(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
    """Without the alignment, which comes as a style that the content policy refuses."""
    return f"<{tokens[index].tag}>"


def _link_open(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
    """A link out says so; one to another file of the repository leads nowhere here, so it is only named."""
    address = str(tokens[index].attrGet("href") or "")
    links = env.setdefault("links", [])
    links.append(_leads_out(address))
    if links[-1]:
        return f'<a href="{escape(address)}" rel="noopener noreferrer nofollow" target="_blank">'
    return f'<span class="inert-link" title="{escape(address)}">'


def _link_close(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
    return "</a>" if env["links"].pop() else "</span>"


def _leads_out(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _image(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
    token = tokens[index]
    return f'<span class="chip" title="{escape(str(token.attrGet("src") or ""))}">image: {escape(token.content)}</span>'
