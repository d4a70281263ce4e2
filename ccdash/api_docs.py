"""The OpenAPI document as a page that people read: served from here, without a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ccdash.api import api

Node = dict[str, Any]


def docs(request: HttpRequest) -> HttpResponse:
    document = api.get_openapi_schema()
    shown = {
        "info": document["info"],
        "sections": list(_sections(document)),
        "shapes": [(name, _json(shape)) for name, shape in sorted(document["components"]["schemas"].items())],
    }
    return render(request, "api.html", shown)


def _sections(document: Node) -> Iterator[tuple[str, list[Node]]]:
    tagged: dict[str, list[Node]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tagged.setdefault(operation["tags"][0], []).append(_operation(path, method, operation))
    yield from tagged.items()


def _operation(path: str, method: str, operation: Node) -> Node:
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "description": operation.get("description", ""),
        "parameters": [_parameter(parameter) for parameter in operation["parameters"]],
        "bodies": _shapes(operation.get("requestBody", {})),
        "answers": [(status, told["description"], _shapes(told)) for status, told in operation["responses"].items()],
    }


def _parameter(parameter: Node) -> Node:
    return {**parameter, "place": parameter["in"], "shape": _json(parameter["schema"])}


def _shapes(told: Node) -> list[tuple[str, list[str]]]:
    """Media type and the names of the shapes that it may have."""
    return [(media, list(_names(content["schema"]))) for media, content in told.get("content", {}).items()]


def _names(shape: Node) -> Iterator[str]:
    for part in shape.get("anyOf", [shape]):
        if "$ref" in part:
            yield part["$ref"].rsplit("/", 1)[1]


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
