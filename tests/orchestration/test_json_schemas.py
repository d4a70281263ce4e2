"""JSON Schemas in plans: what is taken at once is what the library would take."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration import json_schemas
from orchestration.json_schemas import schema_fault

VALUES = st.recursive(
    st.sampled_from(
        [None, True, False, 0, -1, 3, 1.0, 1.5, "", "string", "object", "(", "a b", "#/$defs/a", "^a$", "http://x/#y"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "(", "type"]), inner, max_size=2),
    max_leaves=4,
)
KEYWORDS = st.sampled_from(sorted({*json_schemas._RULES, *json_schemas._LEGACY, "const", "default", "x-own"}))


def is_schema(value: Any) -> bool:
    try:
        jsonschema.Draft202012Validator.check_schema(value)
    except jsonschema.SchemaError:
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYWORDS, VALUES | st.dictionaries(KEYWORDS, VALUES, max_size=2), max_size=3))
def test_nothing_is_taken_that_the_library_would_refuse_and_nothing_refused_that_it_would_take(schema: Any) -> None:
    assert (schema_fault(schema) == "") is is_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"type": ["string", "null"], "minLength": 1, "pattern": "^a+$", "format": "date"},
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/a"}},
            "required": ["a"],
            "additionalProperties": False,
        },
        {"$defs": {"a": {"enum": [1, "x", None]}}, "anyOf": [{"type": "array", "items": {"type": "number"}}]},
        {"patternProperties": {"^x-": True}, "dependentRequired": {"a": ["b"]}, "multipleOf": 0.5, "x-own": [1]},
    ],
)
def test_everyday_schemas_are_taken_without_asking_the_library(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_schema(schema)
    monkeypatch.setattr(jsonschema.Draft202012Validator, "check_schema", None)
    assert schema_fault(schema) == ""
