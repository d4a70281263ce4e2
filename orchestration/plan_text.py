"""Text to data: a plan as JSON or YAML, refused early where it could hurt.

Everything that comes back is plain JSON data: no NaN, no control characters, no deep nest, no doubled key.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from orchestration import plan_yaml
from orchestration.plan_yaml import DOUBLED, MAX_DEPTH, write_yaml
from orchestration.schema import InvalidPlan

__all__ = ["check_data", "read_json", "read_plan", "text_fault", "write_yaml"]

MAX_BYTES = 10 * 1024 * 1024
_ALLOWED_CONTROLS = frozenset("\n\t\r")


class Unreadable(ValueError):
    """JSON that no other reader would take."""


def read_plan(text: str | bytes) -> Any:
    """Plan text as data; JSON where it begins like JSON, YAML otherwise. Raises InvalidPlan."""
    if len(text) > MAX_BYTES:
        raise _fault("plan", f"The plan is larger than {MAX_BYTES // 1024 // 1024} MiB; make it smaller.")
    decoded = _decode(text) if isinstance(text, bytes) else text
    data = read_json(decoded) if decoded.lstrip()[:1] in ("{", "[") else plan_yaml.read_yaml(decoded)
    check_data(data)
    return data


def read_json(text: str | bytes, *, place: str = "plan") -> Any:
    """JSON as data, with no doubled key and no NaN; `check_data` is still to come. Raises InvalidPlan at that place."""
    doubled: list[_Doubled] = []
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        data = json.loads(decoded, object_pairs_hook=partial(_object, doubled), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise _fault(place, f"This is not UTF-8 text (byte {error.start}).") from None
    except json.JSONDecodeError as error:
        raise _fault(place, f"This is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from None
    except RecursionError:
        raise _fault(place, f"This is nested deeper than {MAX_DEPTH} levels.") from None
    except Unreadable as error:
        raise _fault(place, str(error)) from None
    except ValueError:  # Python's own limit of digits
        raise _fault(place, "A number in it is too large.") from None
    if doubled:
        _refuse_doubled(data)
    return data


def check_data(data: Any) -> None:
    """Refuse what no database, page or digest can carry. Raises InvalidPlan with every place found (at most 20)."""
    errors: list[dict[str, str]] = []
    stack: list[tuple[str, Any, int]] = [("", data, 0)]
    while stack and len(errors) < 20:
        path, value, depth = stack.pop()
        message = _fault_of(value, depth)
        if message:
            errors.append({"path": path or "plan", "message": message})
            continue
        stack.extend((where, inner, depth + 1) for where, inner in _inside(path, value))
        if isinstance(value, dict):
            errors.extend(_key_faults(path, value))
    if errors:
        raise InvalidPlan(errors[:20])


def text_fault(text: str) -> str:
    """Why a text can't be stored, or nothing."""
    if text.isascii() and text.isprintable():
        return ""
    for character in text:
        code = ord(character)
        if (code < 32 and character not in _ALLOWED_CONTROLS) or 127 <= code < 160:
            return f"There is a control character (U+{code:04X}) in this text; take it out."
        if 0xD800 <= code < 0xE000:
            return "There is half a character (a lone surrogate) in this text; take it out."
    return ""


def _fault_of(value: Any, depth: int) -> str:
    if depth > MAX_DEPTH:
        return f"This is nested deeper than {MAX_DEPTH} levels."
    if isinstance(value, str):
        return text_fault(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "This is not a number that can be stored (NaN or infinite)."
    if isinstance(value, int) and abs(value) >= 2**63:
        return "This number is too large."
    if value is None or isinstance(value, (bool, int, float, dict, list)):
        return ""
    return f"A {type(value).__name__} can't stand here; put it in quotes to make it a text."


def _key_faults(path: str, value: dict[Any, Any]) -> list[dict[str, str]]:
    return [
        {"path": path or "plan", "message": text_fault(key) if isinstance(key, str) else f"The key {key!r} is no text."}
        for key in value
        if not isinstance(key, str) or text_fault(key)
    ]


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _fault("plan", f"The plan is not UTF-8 text (byte {error.start}).") from None


class _Doubled(dict[str, Any]):
    """An object in which a field stands twice; which one, and where, is told when all is read."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.field = Counter(key for key, _ in pairs).most_common(1)[0][0]


def _object(doubled: list[_Doubled], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled.append(_Doubled(pairs))
    return doubled[-1]


def _refuse_doubled(data: Any) -> None:
    stack: list[tuple[str, Any]] = [("", data)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, _Doubled):
            raise _fault(_below(path, value.field[:100]), DOUBLED)
        stack.extend((where, inner) for where, inner in _inside(path, value) if isinstance(inner, (dict, list)))


def _inside(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((_below(path, str(key)), inner) for key, inner in value.items())
    elif isinstance(value, list):
        yield from ((f"{path}[{index}]", inner) for index, inner in enumerate(value))


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _no_constant(name: str) -> Any:
    raise Unreadable(f"{name} is not JSON; use a number.")


def _fault(path: str, message: str) -> InvalidPlan:
    return InvalidPlan([{"path": path, "message": message}])
