"""Makes data of strangers storable as JSON in every database: no NUL, no half of a surrogate pair, no NaN. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

# In a name: what would start a line, steer a terminal or turn the order of what is read.
UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def plain_name(name: str, longest: int) -> str:
    """The name of a file as people read it in one line; the file itself may be called anything."""
    return UNSEEN.sub("\ufffd", name)[:longest]


def storable(value: Any) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {storable(str(name)): storable(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
