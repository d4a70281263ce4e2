"""What goes wrong beside the API's own views is a problem document, too: unknown paths, wrong methods, bad hosts."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from orchestration.api.problems import MEDIA_TYPE, problem

ROOT = "/api/"
DETAILS = {
    HTTPStatus.NOT_FOUND: ("not_found", "There is no such address in this API; see /api/execution/docs."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "This address does not take that method; see Allow."),
}
Answer = Callable[[HttpRequest], HttpResponseBase]


class ProblemDocuments:
    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path.startswith(ROOT) or response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        if response.headers.get("Content-Type") == MEDIA_TYPE:
            return response
        return _told(response)


def _told(response: HttpResponseBase) -> HttpResponseBase:
    code, detail = DETAILS.get(HTTPStatus(response.status_code), ("refused", "The request was refused."))
    told = problem(response.status_code, code, detail)
    if "Allow" in response.headers:
        told["Allow"] = response.headers["Allow"]
    return told
