"""A refusal of policy or engine as a page, or for HTMX as a message: the API's table, in words.

A stranger is told that nothing is there. Every refusal says what happened, that nothing was changed, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from orchestration.engine import errors as engine
from orchestration.schema import InvalidPlan
from policy.errors import PolicyError

Data = dict[str, Any]
API = "/api/"
NOTHING = "Nothing was changed."
STATUSES: dict[type[Exception], int] = {
    engine.NotFound: 404,
    engine.WrongState: 409,
    engine.Unlaunchable: 409,
    engine.InvalidInput: 422,
    engine.Busy: 503,
    InvalidPlan: 422,
    OperationalError: 503,
}
TITLES = {
    403: "You may not do this",
    404: "There is nothing here that you can see",
    409: "Things have moved on",
    422: "Something in it can't be used",
    503: "The server is busy",
}
TODO = {
    403: "Ask somebody whose role allows it; an admin of the project can change roles.",
    404: "Check the address, or ask an admin of the project to make you a member.",
    409: "Reload to see how it stands now, then decide again.",
    422: "Change what is named here and send it again.",
    503: "Try again in a moment.",
}


class Refusals:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        status = status_of(error)
        if status is None or (status >= 500 and status != 503) or request.path.startswith(API):
            return None
        return _fragment(request, error, status) if getattr(request, "htmx", False) else _page(request, error, status)


def status_of(error: Exception) -> int | None:
    """The most special class counts; None for what is no refusal."""
    if isinstance(error, PolicyError):
        return error.status
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None)


def problem_of(error: Exception) -> Data:
    """For `_problem.html`."""
    status = status_of(error) or HTTPStatus.CONFLICT
    return {
        "title": TITLES.get(status, HTTPStatus(status).phrase),
        "detail": sentence_of(error),
        "safe": NOTHING if status != HTTPStatus.NOT_FOUND else "",
        "todo": TODO.get(status, ""),
        "errors": getattr(error, "errors", []),
        "tone": "warn" if status == HTTPStatus.CONFLICT else "bad",
    }


def sentence_of(error: Exception) -> str:
    if isinstance(error, OperationalError):
        return engine.why_not_written(error)
    return "" if getattr(error, "errors", None) else str(error)


def _page(request: HttpRequest, error: Exception, status: int) -> HttpResponse:
    context = {"problem": problem_of(error), "back_url": _back(request)}
    return render(request, "workbench/problem.html", context, status=status)


def _fragment(request: HttpRequest, error: Exception, status: int) -> HttpResponse:
    """Said beside what is on the screen, which stays as it is."""
    problem = problem_of(error)
    text = " ".join(part for part in (problem["detail"] or problem["title"], problem["todo"]) if part)
    said = render(request, "_flash.html", {"tone": "error", "text": text}, status=status)
    said["HX-Retarget"], said["HX-Reswap"] = "#flash", "beforeend"
    return said


def _back(request: HttpRequest) -> str:
    """The run that an action was about, else home."""
    parts = request.path.strip("/").split("/")
    if parts[0] == "projects" and "runs" in parts[:-1]:
        return "/" + "/".join(parts[: parts.index("runs") + 2]) + "/"
    return "/"
