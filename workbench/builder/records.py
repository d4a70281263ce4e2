"""An object of a plan as named texts, and named texts as an object. Fields that are empty are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.builder.fields import Field
from workbench.builder.kinds import KINDS

Data = dict[str, Any]
Texts = dict[str, str]


def show(fields: Sequence[Field], data: Mapping[str, Any]) -> Texts:
    return {field.slug: _shown(field, value_at(data, field.name)) for field in fields}


def read(fields: Sequence[Field], texts: Mapping[str, str]) -> Data:
    data: Data = {}
    for field in fields:
        text = texts.get(field.slug, "").replace("\r\n", "\n")
        if field.kind == "flag":
            if (text == "on") != field.default:
                _put(data, field.name, text == "on")
        elif text != "" and (text.strip() or field.kind in ("script", "long")):
            _put(data, field.name, KINDS[field.kind].read(text))
    return data


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
