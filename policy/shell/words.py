"""Words as bash makes them: quotes taken off, escapes read, expansions replaced by what is known of them.

The text of a word is read here character by character; the tree is asked only where an expansion ends. Where the
two disagree, the word is open: it may be anything.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass

import tree_sitter

from policy.shell import marks
from policy.shell.source import Source

_META = frozenset("|&;()<> \t\n")
_BRACES = re.compile(r"([\w./:@%+=,-]*)\{([\w./*-]*(?:,[\w./*-]*)+)\}([\w./*-]*)")
_RANGE = re.compile(r"([\w./-]*)\{(-?\d{1,6})\.\.(-?\d{1,6})(?:\.\.\d{1,4})?\}([\w./-]*)")
_SPLICED = re.compile(r"[\w./:@%+,=-]+")
_CLASS = re.compile(r"\[[!^]?[\w.-]+\]")
_ANSI = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|c(.)|(.))", re.DOTALL
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
MAX_VALUES = 32

# Given an expansion and whether it stands in quotes, the values it may have.
Expand = Callable[[tree_sitter.Node, bool], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Word:
    """`values`: every text the word may become. `raw`: as written. `bare`: nothing in it was quoted.
    `lost`: it could not be read to its end, so nobody may rely on what it holds."""

    values: tuple[str, ...]
    raw: str
    bare: bool = True
    lost: bool = False

    @property
    def text(self) -> str | None:
        """The one text, where it is known whole."""
        value = self.values[0]
        return value if len(self.values) == 1 and marks.literal(value) else None

    @property
    def vague(self) -> bool:
        return any(marks.OPEN & set(value) for value in self.values)

    @property
    def maybe_flag(self) -> bool:
        return any(value[:1] in marks.MAYBE_FLAG or value[:1] == "-" for value in self.values if value)

    @property
    def shown(self) -> str:
        return marks.shown(self.values[0])


def vague_word(raw: str) -> Word:
    return Word((marks.MANY,), raw, lost=True)


def read_words(source: Source, start: int, end: int, expand: Expand) -> list[Word]:
    """One written word; braces can make several of it."""
    raw = source.text[start:end]
    if "{" in raw and raw != "{}":
        several = _braces(raw)
        if several is not None:
            return several
    return [_Reader(source, start, end, expand).read()]


def _braces(raw: str) -> list[Word] | None:
    found = _RANGE.fullmatch(raw)
    if found:
        return [Word((f"{found[1]}{marks.NUMBER}{found[4]}",), raw)]
    found = _BRACES.fullmatch(raw)
    if found and all(f"{found[1]}{part}{found[3]}" for part in found[2].split(",")):
        return [Word((_globbed(f"{found[1]}{part}{found[3]}"),), raw) for part in found[2].split(",")]
    return None


def _globbed(text: str) -> str:
    return text.replace("*", marks.STAR)


class _Reader:
    def __init__(self, source: Source, start: int, end: int, expand: Expand) -> None:
        self.source, self.at, self.start, self.end, self.expand = source, start, start, end, expand
        self.values: list[str] = [""]
        self.bare = True
        self.lost = False

    def read(self) -> Word:
        text = self.source.text
        while self.at < self.end and not self.lost:
            character = text[self.at]
            step = _STEPS.get(character)
            if step is not None:
                step(self)
            else:
                self._plain(character)
        raw = text[self.start : self.end]
        if self.lost or self.at != self.end:
            self._search()
            return vague_word(raw)
        return Word(tuple(self.values), raw, self.bare)

    def _search(self) -> None:
        """What a word that can't be read would run is looked at all the same."""
        ended = self.start
        for start in sorted(place for place in self.source.expansions if self.start <= place < self.end):
            node = self.source.expansions[start]
            if start >= ended and node.end_byte <= self.end:
                self.expand(node, False)
                ended = node.end_byte

    def add(self, *texts: str) -> None:
        if len(texts) == 1:
            self.values = [value + texts[0] for value in self.values]
            return
        self.values = [value + text for value, text in itertools.product(self.values, texts)]
        if len(self.values) > MAX_VALUES:
            self.lost = True

    def _plain(self, character: str) -> None:
        if character in _META or self.source.foreign(self.at, self.at + 1):
            self.lost = True
            return
        self.at += 1
        self.add(character)

    def escape(self) -> None:
        if self.at + 1 >= self.end or self.source.text[self.at + 1] == "\n":
            self.lost = True
            return
        self.bare = False
        self.add(self.source.text[self.at + 1])
        self.at += 2

    def single(self) -> None:
        close = self.source.text.find("'", self.at + 1, self.end)
        if close < 0:
            self.lost = True
            return
        self.bare = False
        self.add(self.source.text[self.at + 1 : close])
        self.at = close + 1

    def double(self) -> None:
        text, self.bare = self.source.text, False
        self.at += 1
        while self.at < self.end and not self.lost:
            character = text[self.at]
            if character == '"':
                self.at += 1
                return
            self._in_double(character)
        self.lost = True

    def _in_double(self, character: str) -> None:
        text = self.source.text
        if character == "\\":
            following = text[self.at + 1 : self.at + 2]
            self.add("" if following == "\n" else following if following in '$`"\\' else "\\" + following)
            self.at += 2
        elif character in "$`":
            self.expansion(quoted=True)
        else:
            self.at += 1
            self.add(character)

    def dollar(self) -> None:
        following = self.source.text[self.at + 1 : self.at + 2] if self.at + 1 < self.end else ""
        if following == "'":
            self._ansi()
        elif following == '"':
            self.lost = True
        else:
            self.expansion(quoted=False)

    def _ansi(self) -> None:
        found = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL).match(self.source.text, self.at, self.end)
        if found is None:
            self.lost = True
            return
        self.bare = False
        decoded = _ANSI.sub(_decoded, found[1]).split("\0")[0]
        self.add("".join("?" if mark in marks.ALL else mark for mark in decoded))
        self.at = found.end()

    def expansion(self, quoted: bool) -> None:
        node = self.source.expansions.get(self.at)
        if node is not None and node.end_byte <= self.end:
            self.add(*self.expand(node, quoted))
            self.at = node.end_byte
            return
        following = self.source.text[self.at + 1 : self.at + 2] if self.at + 1 < self.end else ""
        if self.source.text[self.at] == "$" and (not following or following in ' "/.,:%=+]})^~\n\t'):
            self.add("$")
            self.at += 1
            return
        self.lost = True

    def star(self) -> None:
        self.at += 1
        self.add(marks.STAR)

    def bracket(self) -> None:
        found = _CLASS.match(self.source.text, self.at, self.end)
        if found:
            self.at = found.end()
            self.add(marks.STAR)
        elif "]" in self.source.text[self.at : self.end]:
            self.lost = True
        else:
            self.at += 1
            self.add("[")

    def tilde(self) -> None:
        before = self.source.text[self.at - 1] if self.at > self.start else ""
        self.at += 1
        if not before:
            following = self.source.text[self.at : self.at + 1] if self.at < self.end else ""
            self.add(marks.HOME if following in ("", "/") else marks.HOME + "/../")
        elif before in "=:":
            self.lost = True
        else:
            self.add("~")

    def brace(self) -> None:
        rest = self.source.text[self.at : self.end]
        if rest.startswith("{}"):
            self.at += 2
            self.add("{}")
        elif "," in rest or ".." in rest or "$" in rest:
            self.lost = True
        else:
            self.at += 1
            self.add("{")


_STEPS: dict[str, Callable[[_Reader], None]] = {
    "\\": _Reader.escape,
    "'": _Reader.single,
    '"': _Reader.double,
    "$": _Reader.dollar,
    "`": lambda reader: reader.expansion(quoted=False),
    "*": _Reader.star,
    "?": _Reader.star,
    "[": _Reader.bracket,
    "~": _Reader.tilde,
    "{": _Reader.brace,
    "<": lambda reader: reader.expansion(quoted=False),
    ">": lambda reader: reader.expansion(quoted=False),
}


def spliced(values: tuple[str, ...], quoted: bool) -> tuple[str, ...]:
    """Values as an expansion leaves them: outside quotes the shell splits them again, and reads patterns."""
    if quoted:
        return tuple(value.replace(marks.MANY, marks.ANY) for value in values)
    if all(_SPLICED.fullmatch(value) or _marked(value) for value in values):
        return values
    return (marks.MANY,)


def _marked(value: str) -> bool:
    return bool(value) and all(character in marks.ALL or _SPLICED.fullmatch(character) for character in value)


def _decoded(found: re.Match[str]) -> str:
    for group, base in ((1, 16), (2, 16), (3, 16), (4, 8)):
        if found[group]:
            return chr(min(int(found[group], base), 0x10FFFF))
    if found[5]:
        return chr(ord(found[5]) & 31)
    return _ESCAPES.get(found[6], found[6] if found[6] in "\\'\"?" else "\\" + found[6])
