"""What ${name%suffix} and its like leave of a value, where that can be told."""

from __future__ import annotations

import re

from policy.shell import marks
from policy.shell.scope import MANY, Values

_PLAIN = re.compile(r"[\w./ :,@+=-]*")
# They stand for text without a slash, so that what is cut off before or behind them is the same for all they may be.
_CUT = marks.ALL - {marks.STAR, marks.NUMBER, marks.SLUG}


def trimmed(values: Values, operator: str, rest: str) -> Values:
    found = [_one(value, operator, rest) for value in values]
    return MANY if None in found else tuple(dict.fromkeys(value for value in found if value is not None))


def _one(value: str, operator: str, rest: str) -> str | None:
    if _CUT & set(value):
        return None
    if operator[0] in "%#":
        return _cut(value, operator, rest)
    if not marks.literal(value):
        return None
    if operator[0] in "^,":
        return _cased(value, operator) if not rest else None
    return _replaced(value, rest)


def _cut(value: str, operator: str, rest: str) -> str | None:
    if (operator, rest) == ("##", "*/"):
        return value.rpartition("/")[2]
    if (operator, rest) == ("%", "/*"):
        return value.rpartition("/")[0] if "/" in value else value
    if not rest or not _PLAIN.fullmatch(rest):
        return None
    if operator[0] == "%":
        return value[: -len(rest)] if value.endswith(rest) else _uncut(value, value[-len(rest) :])
    return value[len(rest) :] if value.startswith(rest) else _uncut(value, value[: len(rest)])


def _uncut(value: str, end: str) -> str | None:
    return value if marks.literal(end) else None


def _cased(value: str, operator: str) -> str:
    changed = value.upper() if operator[0] == "^" else value.lower()
    return changed if len(operator) == 2 else changed[:1] + value[1:]


def _replaced(value: str, rest: str) -> str | None:
    every = rest.startswith("/")
    pattern, _, instead = rest.removeprefix("/").partition("/")
    if not pattern or not _PLAIN.fullmatch(pattern) or not _PLAIN.fullmatch(instead):
        return None
    return value.replace(pattern, instead, -1 if every else 1)
