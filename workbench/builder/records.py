"""An object of a plan as named texts, and named texts as an object. Fields that are empty are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.builder.fields import Field
from workbench.builder.kinds import KINDS

Data = dict[str, Any]
Texts = dict[str, str]
PICK = "+"  # between a field and one of the values that may be ticked in it


def show(fields: Sequence[Field], data: Mapping[str, Any]) -> Texts:
    texts = {field.slug: _shown(field, value_at(data, field.name)) for field in fields}
    picked = [(field.slug, KINDS[field.kind].read(texts[field.slug])) for field in fields if field.kind == "picked"]
    return texts | {f"{slug}{PICK}{value}": "on" for slug, values in picked for value in values}


def read(fields: Sequence[Field], texts: Mapping[str, str]) -> Data:
    data: Data = {}
    for field in fields:
        text = texts.get(field.slug, "").replace("\r\n", "\n")
        if field.kind == "flag":
            if (text == "on") != field.default:
                _put(data, field.name, text == "on")
        elif field.kind == "picked":
            if picked := _picked(field.slug, texts):
                _put(data, field.name, picked)
        elif text != "" and (text.strip() or field.kind in ("script", "long")):
            _put(data, field.name, KINDS[field.kind].read(text))
    return data


def _picked(slug: str, texts: Mapping[str, str]) -> list[str]:
    """What is ticked, and what was typed beside it; in the order in which it stood before."""
    start = f"{slug}{PICK}"
    ticked = [name.removeprefix(start) for name, text in texts.items() if name.startswith(start) and text == "on"]
    lines = KINDS["lines"].read
    wanted = [*ticked, *(line.strip() for line in lines(texts.get(f"{slug}-more", "").replace("\r\n", "\n")))]
    before = [value for value in lines(texts.get(slug, "").replace("\r\n", "\n")) if value in wanted]
    return list(dict.fromkeys([*before, *wanted]))


def _shown(field: Field, value: Any) -> str:
    if field.kind == "flag":
        return "on" if (field.default if value is None else value is True) else ""
    return "" if value is None else KINDS[field.kind].show(value)


def value_at(data: Mapping[str, Any], name: str) -> Any:
    """Where the way leads through something that is no object, the text of that stands at its first field."""
    first, _, rest = name.partition(".")
    value = data.get(first)
    if not rest:
        return value
    return value.get(rest) if isinstance(value, Mapping) else None


def _put(data: Data, name: str, value: Any) -> None:
    first, _, rest = name.partition(".")
    if rest:
        data.setdefault(first, {})[rest] = value
    else:
        data[first] = value
