"""The first look at a line, before any parser sees it: size, and characters that hide what it does."""

from __future__ import annotations

import unicodedata

from policy.shell.facts import Finding

MAX_BYTES = 4096
# Letters with no shape of their own, or that reorder their neighbours; and the private area our own marks come from.
_HIDDEN = frozenset({"Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_SPACES = frozenset(" \t\n")


def screen(line: str) -> Finding | None:
    if len(line) > MAX_BYTES or len(line.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return Finding("oversized", "The command is longer than 4 kB, too long for anyone to look at.")
    if line.isascii() and line.replace("\n", "").replace("\t", "").isprintable():
        return None
    for character in line:
        if _hides(character):
            return Finding("hidden", f"Holds {_name(character)}, which hides what the command does.")
    return None


def _hides(character: str) -> bool:
    if character in _SPACES:
        return False
    category = unicodedata.category(character)
    if category in _HIDDEN or category == "Cc" or character in _BLANK:
        return True
    # Variation selectors, and spaces that are no separators to the shell.
    return (category == "Zs" and character != " ") or "\ufe00" <= character <= "\ufe0f"


def _name(character: str) -> str:
    name = unicodedata.name(character, "").lower()
    return f"U+{ord(character):04X} ({name})" if name else f"the character U+{ord(character):04X}"
