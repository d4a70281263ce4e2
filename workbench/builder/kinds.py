"""How a value of a plan looks in a field, and what a field's text is as a value.

What can't be read as what it should be stays the text it is: it comes back to its field as it was typed, and
validation says what is wrong with it. So nothing that was typed is ever lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NOTHING_NEEDED = "(none)"
EMPTY_TEXT = '""'
SEPARATOR = " | "
ARTIFACT = ("path", "name", "kind")


@dataclass(frozen=True)
class Kind:
    """`control` names the element; `missing` is what an empty field stands for: the field left out."""

    control: str
    show: Callable[[Any], str]
    read: Callable[[str], Any]
    hint: str = ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _show_number(value: Any) -> str:
    return _text(int(value) if isinstance(value, float) and value.is_integer() else value)


def read_number(text: str) -> Any:
    """A number where it is one, else the text as it was typed."""
    plain = text.strip()
    try:
        return int(plain) if re.fullmatch(r"[+-]?\d{1,18}", plain) else float(plain) if plain.isascii() else text
    except ValueError:
        return text


def _show_words(value: Any) -> str:
    return ", ".join(value) if _is_words(value) else _text(value)


def _show_lines(value: Any) -> str:
    return "\n".join(value) if _is_words(value) else _text(value)


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _read_words(text: str) -> Any:
    return [word for word in re.split(r"[,\s]+", text) if word]


def _read_lines(text: str) -> Any:
    return [line for line in text.split("\n") if line.strip()]


def _show_needs(value: Any) -> str:
    return NOTHING_NEEDED if value == [] else _show_words(value)


def _read_needs(text: str) -> Any:
    return [] if text.strip() == NOTHING_NEEDED else _read_words(text)


def _show_pairs(value: Any) -> str:
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return "\n".join(f"{name}={text}" for name, text in value.items())
    return _text(value)


def _read_pairs(text: str) -> Any:
    pairs: dict[str, str] = {}
    for line in _read_lines(text):
        name, sign, value = line.partition("=")
        if not sign or name in pairs:
            return text
        pairs[name] = value
    return pairs


def _show_json(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _show_artifacts(value: Any) -> str:
    if not isinstance(value, list) or not all(isinstance(spec, dict) for spec in value):
        return _text(value)
    return "\n".join(_artifact_line(spec) for spec in value)


def _artifact_line(spec: dict[str, Any]) -> str:
    parts = [str(spec.get(name) or "") for name in ARTIFACT]
    if parts[2] == "file":
        parts[2] = ""
    return SEPARATOR.join(parts).rstrip(" |")


def _read_artifacts(text: str) -> Any:
    return [_read_artifact(line) for line in _read_lines(text)]


def _read_artifact(line: str) -> dict[str, str]:
    parts = [part.strip() for part in line.split("|")]
    return {name: part for name, part in zip(ARTIFACT, parts, strict=False) if part}


def _show_default(value: Any) -> str:
    return EMPTY_TEXT if value == "" else _text(value)


def _read_default(text: str) -> Any:
    return "" if text == EMPTY_TEXT else text


def _same(text: str) -> Any:
    return text


KINDS = {
    "text": Kind("input", _text, _same),
    "code": Kind("code", _text, _same),
    "long": Kind("long", _text, _same),
    "script": Kind("script", _text, _same),
    "choice": Kind("select", _text, _same),
    "flag": Kind(
        "checkbox", lambda value: "on" if value is True else _text(value) if value else "", lambda text: text == "on"
    ),
    "number": Kind("number", _show_number, read_number),
    "words": Kind("code", _show_words, _read_words),
    "lines": Kind("lines", _show_lines, _read_lines, "One on each line."),
    "needs": Kind("code", _show_needs, _read_needs),
    "pairs": Kind("lines", _show_pairs, _read_pairs, "One NAME=value on each line."),
    "json": Kind("script", _show_json, _read_json, "As JSON."),
    "artifacts": Kind("lines", _show_artifacts, _read_artifacts, "One path on each line, also path | name | kind."),
    "picked": Kind("picks", _show_lines, _read_lines),
    "default": Kind("input", _show_default, _read_default),
}
