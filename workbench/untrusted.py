"""Text that somebody else wrote, as a person can judge it: what can't be seen or turns the reading is spelled out."""

from __future__ import annotations

import re

# Control characters, soft hyphens, zero-width and joining marks, direction marks, tags, byte order marks
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)


def plainly(text: str) -> str:
    return HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))
