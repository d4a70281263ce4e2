"""YAML front matter of a document, as plain JSON data.

Owns the border between front matter and body, and what of YAML is let in. Called by documents.
Never builds objects, never lets a small file grow into a large value (aliases, nesting), never turns a date into
anything but the text that stands there.
"""

import datetime
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

MAX_CHARACTERS = 64 * 1024
MAX_VALUES = 5_000
MAX_DEPTH = 30

_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FrontMatterError(ValueError):
    """The front matter of this document can't be read."""


class _Loader(_SafeLoader):  # type: ignore[misc]
    """Dates stay text: a plan dated 2026-02-30 is still a plan."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}


def split(text: str) -> tuple[str | None, str]:
    """Front matter (None: there is none) and body."""
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return None, text
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() in ("---", "..."):
            return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :])
    raise FrontMatterError("the front matter has no closing line ---")


def parse(source: str) -> dict[str, Any]:
    if len(source) > MAX_CHARACTERS:
        raise FrontMatterError(f"the front matter is longer than {MAX_CHARACTERS // 1024} kB")
    data = _load(source)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise FrontMatterError("the front matter is not a list of keys and values")
    budget = iter(range(MAX_VALUES))
    return {_key(key): _plain(value, budget) for key, value in data.items()}


def clean_text(text: str) -> str:
    """Text that any database and page can take: no control characters, no half characters."""
    return _UNSTORABLE.sub("\ufffd", text)


def _load(source: str) -> Any:
    try:
        _refuse_deep_nesting(source)
        return yaml.load(source, Loader=_Loader)  # noqa: S506 - SafeLoader without dates
    except yaml.MarkedYAMLError as error:
        raise FrontMatterError(f"bad YAML in the front matter: {_where(error)}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        if isinstance(error, FrontMatterError):
            raise
        raise FrontMatterError(f"bad YAML in the front matter: {clean_text(str(error))[:200]}") from error


def _where(error: yaml.MarkedYAMLError) -> str:
    problem = clean_text(error.problem or error.context or "it can't be parsed")[:200]
    # The mark counts from 0, and the line --- stands before it.
    return f"{problem} (line {error.problem_mark.line + 2})" if error.problem_mark else problem


def _refuse_deep_nesting(source: str) -> None:
    """Cost: composing nested nodes recurses in C, events don't; so depth is counted on events, before."""
    depth = 0
    for event in yaml.parse(source, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise FrontMatterError(f"the front matter is nested deeper than {MAX_DEPTH}")


def _plain(value: Any, budget: Iterator[int], depth: int = 0) -> Any:
    """Only what JSON knows. The budget bounds what aliases can unfold to."""
    if next(budget, None) is None or depth > MAX_DEPTH:
        raise FrontMatterError(f"the front matter holds more than {MAX_VALUES} values")
    if isinstance(value, dict):
        return {_key(key): _plain(item, budget, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item, budget, depth + 1) for item in value]
    return _scalar(value)


def _key(key: object) -> str:
    return clean_text(str(key))[:200]


def _scalar(value: object) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, datetime.date):
        return value.isoformat()
    return clean_text(str(value))
