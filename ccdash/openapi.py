"""The OpenAPI 3.1 document, made exact: what the framework writes, and what it can't know.

Errors are problem documents, every POST takes an idempotency key, bodies have their shapes, and texts their alphabet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from orchestration import schema
from orchestration.api import bodies, idempotency, problems

Node = dict[str, Any]
REF = "#/components/schemas/{model}"
# No control characters but tab and line ends, no half characters: what can be stored, shown and digested.
TEXT = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*$"
SEEN = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F]" + TEXT[1:]
LINE = r"^[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u0008\u000A-\u001F\u007F-\u009F]*$"
LEAST, MOST = -(2**63) + 1, 2**63 - 1
LARGE = 1000
EXACT = {
    r"\S": SEEN,
    r"^\S.*$": LINE,
    schema.SUBJECT_PATTERN: r"^(role:(viewer|operator|approver|admin)|user:[^\s:\u0000-\u001F\u007F-\u009F]{1,150}"
    r"|group:[^:\u0000-\u001F\u007F-\u009F]{1,150})$",
}
ANYTHING: Node = {
    "description": "Any JSON value.",
    "anyOf": [
        {"type": "string", "pattern": TEXT},
        {"type": "integer", "minimum": LEAST, "maximum": MOST},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "items": {"$ref": REF.format(model="Anything")}},
        {"type": "object", "propertyNames": {"pattern": TEXT},
         "additionalProperties": {"$ref": REF.format(model="Anything")}},
    ],
}  # fmt: skip
KEY_PARAMETER = {
    "in": "header",
    "name": idempotency.HEADER,
    "required": False,
    "description": "Repeats with the same key and body get the first answer; with another body 409.",
    "schema": {"type": "string", "pattern": idempotency.PATTERN},
}
HEADERS = {
    "401": {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    "503": {"Retry-After": {"required": True, "schema": {"type": "string"}}},
}


class OpenApi:
    def __init__(self, written: Mapping[str, Any]) -> None:
        self.written = dict(written)

    def document(self) -> Node:
        self.written["components"]["schemas"] |= _body_schemas()
        for method, operation in self._operations():
            _exact_responses(operation)
            _exact_parameters(operation)
            if method == "post":
                operation["parameters"].append(KEY_PARAMETER)
        if not self.written.get("servers"):
            self.written.pop("servers", None)
        return self.written

    def _operations(self) -> Iterator[tuple[str, Node]]:
        for methods in self.written["paths"].values():
            yield from methods.items()


def _body_schemas() -> Node:
    _, written = models_json_schema([(shape, "validation") for shape in bodies.SHAPES], ref_template=REF)
    definitions = written["$defs"]
    for name, definition in definitions.items():
        if name != bodies.Draft.__name__:
            _exact_texts(definition)
    return {**definitions, "Anything": ANYTHING}


def _exact_texts(node: Any) -> None:
    """Say of every text which characters it may have, and of everything free that it is JSON."""
    if isinstance(node, list):
        for inner in node:
            _exact_texts(inner)
    if not isinstance(node, dict):
        return
    if node.get("type") == "string" and not {"enum", "const", "format"} & node.keys():
        node["pattern"] = EXACT.get(node.get("pattern", ""), node.get("pattern", TEXT))
        _tell_large_limit(node)
    if node.get("type") == "integer":
        node |= {"minimum": LEAST, "maximum": MOST, **node}
    if node.get("additionalProperties") is True:
        node["additionalProperties"] = {"$ref": REF.format(model="Anything")}
    if "patternProperties" in node:
        node.setdefault("additionalProperties", False)
    if node.get("additionalProperties"):
        node.setdefault("propertyNames", {"pattern": TEXT})
    for name, inner in node.items():
        if name in ("properties", "patternProperties"):
            _exact_texts(list(inner.values()))
        elif name not in ("default", "examples", "discriminator", "required", "enum"):
            _exact_texts(inner)


def _tell_large_limit(node: Node) -> None:
    """A pattern together with a limit of many thousands is more than tools that read this can work with."""
    if node.get("maxLength", 0) > LARGE:
        node["description"] = f"{node.get('description', '')} At most {node.pop('maxLength')} characters.".strip()


def _exact_responses(operation: Node) -> None:
    responses = operation["responses"] = {str(status): told for status, told in operation["responses"].items()}
    for status, told in responses.items():
        if int(status) >= 400 and "content" in told:
            told["content"] = {problems.MEDIA_TYPE: next(iter(told["content"].values()))}
        if status in HEADERS:
            told["headers"] = HEADERS[status]


def _exact_parameters(operation: Node) -> None:
    """A parameter is there or left out; it is never null."""
    for parameter in operation["parameters"]:
        given = parameter["schema"]
        kinds = [kind for kind in given.pop("anyOf", []) if kind != {"type": "null"}]
        if kinds:
            parameter["schema"] = {**kinds[0], **{name: told for name, told in given.items() if name != "title"}}
        if parameter["schema"].get("default", ...) is None:
            del parameter["schema"]["default"]
        if parameter["in"] == "path":
            parameter["schema"] = {"type": "string", "minLength": 1}
