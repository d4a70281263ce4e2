"""Makes data of strangers storable as JSON in every database: no NUL, no half of a surrogate pair, no NaN. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

UNSTORABLE = re.compile("[\0\ud800-\udfff]")


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
