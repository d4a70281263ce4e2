"""Text to data: a plan as JSON or YAML, refused early where it could hurt.

Everything that comes back is plain JSON data: no NaN, no control characters, no deep nest, no doubled key.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import yaml

from orchestration.schema import InvalidPlan

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 40
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_ALLOWED_CONTROLS = frozenset("\n\t\r")


class Unreadable(ValueError):
    """JSON that says two things at once, or nothing."""


class _Dumper(_SafeDumper):  # type: ignore[misc]
    """Texts of several lines stand as such, so that people can read and edit prompts and commands."""

    def ignore_aliases(self, data: Any) -> bool:
        """What occurs twice is written twice: `read_plan` takes no anchors."""
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def read_plan(text: str | bytes) -> Any:
    """Plan text as data; JSON where it begins like JSON, YAML otherwise. Raises InvalidPlan."""
    if len(text) > MAX_BYTES:
        raise _fault("plan", f"The plan is larger than {MAX_BYTES // 1024 // 1024} MiB; make it smaller.")
    decoded = _decode(text) if isinstance(text, bytes) else text
    data = read_json(decoded) if decoded.lstrip()[:1] in ("{", "[") else _read_yaml(decoded)
    check_data(data)
    return data


def write_yaml(data: Any) -> str:
    """Data as YAML that reads back as the same data."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


def read_json(text: str | bytes, *, place: str = "plan") -> Any:
    """JSON as data, with no doubled key and no NaN; `check_data` is still to come. Raises InvalidPlan at that place."""
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        return json.loads(decoded, object_pairs_hook=_unique, parse_constant=_no_constant)
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


def check_data(data: Any) -> None:
    """Refuse what no database, page or digest can carry. Raises InvalidPlan with every place found (at most 20)."""
    errors: list[dict[str, str]] = []
    stack: list[tuple[str, Any, int]] = [("", data, 0)]
    while stack and len(errors) < 20:
        path, value, depth = stack.pop()
        message = _fault_of(value, depth)
        if message:
            errors.append({"path": path or "plan", "message": message})
        elif isinstance(value, dict):
            stack.extend((f"{path}.{key}" if path else str(key), inner, depth + 1) for key, inner in value.items())
            errors.extend(_key_faults(path, value))
        elif isinstance(value, list):
            stack.extend((f"{path}[{index}]", inner, depth + 1) for index, inner in enumerate(value))
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


def _read_yaml(text: str) -> Any:
    try:
        _check_events(text)
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader, in C where there is one
    except yaml.MarkedYAMLError as error:
        where = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise _fault("plan", f"This is not YAML: {error.problem}{where}.") from None
    except yaml.YAMLError as error:
        raise _fault("plan", f"This is not YAML: {error}.") from None
    except (RecursionError, ValueError, OverflowError):
        raise _fault("plan", "This YAML can't be read: it is nested too deeply or holds an impossible value.") from None


def _check_events(text: str) -> None:
    # Before anything is built: aliases can blow a small text up to gigabytes.
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent))
        depth -= isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent))
        if isinstance(event, yaml.AliasEvent):
            raise _fault("plan", "YAML anchors and aliases can't be used in a plan; write the value out.")
        if depth > MAX_DEPTH:
            raise _fault("plan", f"This is nested deeper than {MAX_DEPTH} levels.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        doubled = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Unreadable(f"The field {doubled[:100]!r} stands twice in one object.")
    return found


def _no_constant(name: str) -> Any:
    raise Unreadable(f"{name} is not JSON; use a number.")


def _fault(path: str, message: str) -> InvalidPlan:
    return InvalidPlan([{"path": path, "message": message}])
