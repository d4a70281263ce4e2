"""Problem documents (RFC 9457), and what the operations say of them in the OpenAPI document."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse

from orchestration.api.answers import Answered, Invalid, Problem, StateProblem

MEDIA_TYPE = "application/problem+json"


def problem(status: int, code: str, detail: str, **more: Any) -> HttpResponse:
    """`type` names the kind of problem for programs, `detail` tells people what to do."""
    document = {
        "type": f"urn:ccdash:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    response = HttpResponse(json.dumps(document), status=status, content_type=MEDIA_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="ccdash"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = "1"
    return response


SHAPES: dict[int, type[Answered]] = {409: StateProblem, 422: Invalid}


def answers(shape: Any, *also: int, status: int = 200) -> dict[int, Any]:
    """What an operation may answer: this shape, or a problem. Every operation may say 401, 422 and 503."""
    problems = {code: SHAPES.get(code, Problem) for code in sorted({401, 422, 503, *also})}
    return {status: shape, **problems}
