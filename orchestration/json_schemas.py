"""Whether something is a JSON Schema of draft 2020-12.

The library asks a schema of schemas, which takes a millisecond; a plan may hold ten thousand. What is plainly right is
seen here at once, all else is left to the library, which also says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jsonschema

_TYPES = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
_REFERENCE = re.compile(r"[\w./:-]*(#[\w./$-]*)?")


def schema_fault(value: dict[str, Any] | bool) -> str:
    """What is wrong with it; empty where nothing is."""
    if _schema(value):
        return ""
    try:
        jsonschema.Draft202012Validator.check_schema(value)
    except jsonschema.SchemaError as error:
        return error.message
    return ""


def _schema(value: object) -> bool:
    if isinstance(value, dict):
        return all(_RULES[name](inner) if name in _RULES else name not in _LEGACY for name, inner in value.items())
    return isinstance(value, bool)


def _schemas(value: object) -> bool:
    return isinstance(value, dict) and all(map(_schema, value.values()))


def _schema_list(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(_schema, value))


def _pattern_schemas(value: object) -> bool:
    return isinstance(value, dict) and all(map(_pattern, value)) and _schemas(value)


def _type(value: object) -> bool:
    names = value if isinstance(value, list) else [value]
    return len(names) > 0 and all(isinstance(name, str) and name in _TYPES for name in names) and _distinct(names)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and _distinct(value)


def _distinct(names: list[Any]) -> bool:
    return len(set(names)) == len(names)


def _text_lists(value: object) -> bool:
    return isinstance(value, dict) and all(map(_texts, value.values()))


def _pattern(value: object) -> bool:
    try:
        return isinstance(value, str) and re.compile(value) is not None
    except (re.error, RecursionError, OverflowError):
        return False


def _reference(value: object) -> bool:
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _above_zero(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _list(value: object) -> bool:
    return isinstance(value, list)


Check = Callable[[object], bool]
_RULES: dict[str, Check] = {
    **dict.fromkeys(("$ref", "$schema"), _reference),
    **dict.fromkeys(("$comment", "title", "description", "format", "contentEncoding", "contentMediaType"), _text),
    **dict.fromkeys(("$defs", "properties", "dependentSchemas"), _schemas),
    "patternProperties": _pattern_schemas,
    **dict.fromkeys(("items", "contains", "additionalProperties", "propertyNames", "if", "then", "else"), _schema),
    **dict.fromkeys(("not", "unevaluatedItems", "unevaluatedProperties", "contentSchema"), _schema),
    **dict.fromkeys(("prefixItems", "allOf", "anyOf", "oneOf"), _schema_list),
    "type": _type,
    **dict.fromkeys(("enum", "examples"), _list),
    "multipleOf": _above_zero,
    **dict.fromkeys(("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"), _number),
    **dict.fromkeys(("maxLength", "minLength", "maxItems", "minItems", "maxContains", "minContains"), _count),
    **dict.fromkeys(("maxProperties", "minProperties"), _count),
    "pattern": _pattern,
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _flag),
    "required": _texts,
    "dependentRequired": _text_lists,
}
# The schema of schemas asks something of these as well.
_LEGACY = frozenset(
    {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "definitions", "dependencies"}
    | {"$recursiveAnchor", "$recursiveRef"}
)
