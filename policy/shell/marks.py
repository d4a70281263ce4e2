"""Characters that stand for what a word doesn't say itself.

The screen refuses lines that hold private-use characters, so a mark in a value is always ours.
"""

from __future__ import annotations

import functools
import re

NUMBER = "\ue000"  # digits, perhaps with a sign
SLUG = "\ue001"  # letters, digits, dots, dashes; no slash, no dash first
ANY = "\ue002"  # any text, one word
MANY = "\ue003"  # any text, any number of words
STAR = "\ue004"  # a pattern of file names; never a slash
HOME = "\ue005"
OUTPUT = "\ue006"  # $CCDASH_OUTPUT
ARTIFACTS = "\ue007"  # $CCDASH_ARTIFACTS
TEMPORARY = "\ue008"  # $TMPDIR
WORKSPACE = "\ue009"
PIPE = "\ue00a"  # what <( ) leaves in its place
FOUND = "\ue00b"  # paths inside the workspace, chosen by a name that tells what they hold
LISTED = "\ue00c"  # paths inside the workspace, whatever they hold

OPEN = frozenset({ANY, MANY})
GLOBS = frozenset({STAR})
# Parts of a path with one of these are looked at as patterns.
LOOSE = frozenset({STAR, NUMBER, SLUG})
SCRATCH = frozenset({OUTPUT, ARTIFACTS, TEMPORARY})
STREAMS = frozenset({PIPE, FOUND, LISTED})
ALL = frozenset({NUMBER, SLUG, ANY, MANY, STAR, HOME, OUTPUT, ARTIFACTS, TEMPORARY, WORKSPACE, PIPE, FOUND, LISTED})
# Names of files that exist in the workspace.
NAMES = frozenset({STAR, FOUND, LISTED})
# A word that begins with one of these could turn out to be an option.
MAYBE_FLAG = frozenset({ANY, MANY, STAR, NUMBER, FOUND, LISTED})

_SHOWN = {
    NUMBER: "<number>",
    SLUG: "<name>",
    ANY: "<computed>",
    MANY: "<computed>",
    STAR: "*",
    HOME: "~",
    OUTPUT: "$CCDASH_OUTPUT",
    ARTIFACTS: "$CCDASH_ARTIFACTS",
    TEMPORARY: "$TMPDIR",
    WORKSPACE: "$CCDASH_WORKSPACE",
    PIPE: "<pipe>",
    FOUND: "<found files>",
    LISTED: "<listed files>",
}
_LOOSE = {**dict.fromkeys(ALL, r".*"), NUMBER: r"-?\d+", SLUG: r"[A-Za-z0-9][\w.-]*"}
_TABLE = str.maketrans(_SHOWN)


def shown(text: str) -> str:
    return text if text.isascii() else text.translate(_TABLE)


def literal(text: str) -> bool:
    return text.isascii() or not ALL & set(text)


@functools.lru_cache(maxsize=512)
def pattern(part: str) -> re.Pattern[str]:
    """What a part of a path may be. A pattern that starts with a wildcard finds no hidden files."""
    hidden = r"(?!\.)" if part[:1] == STAR else ""
    return re.compile(hidden + "".join(_LOOSE.get(mark) or re.escape(mark) for mark in part), re.IGNORECASE)
