"""The JSON API as a whole: routers mounted, errors turned into problem documents by one table."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from ccdash.openapi import OpenApi
from orchestration.api import artifacts, resources, run_actions, runs, singles, workflows
from orchestration.api.auth import Bearer, SignedIn
from orchestration.api.problems import problem
from orchestration.api.refusals import RunConflict
from orchestration.engine import errors as engine
from orchestration.schema import InvalidPlan, path_of
from policy.errors import PolicyError

logger = logging.getLogger(__name__)
DESCRIPTION = (
    "Everything that the pages do, by program. Send a token as `Authorization: Bearer TOKEN`. Errors are problem "
    "documents (RFC 9457); every POST takes an `Idempotency-Key`."
)
NOT_SIGNED_IN = "Send a valid token as Authorization: Bearer TOKEN, or sign in."
FAULT = "Something went wrong here; nothing was changed. The server's log tells more."


class WorkbenchApi(NinjaAPI):
    _document: Any = None

    def get_openapi_schema(self, **where: Any) -> Any:
        """Made once: it takes a moment, and never changes while the server runs."""
        if self._document is None:
            self._document = OpenApi(super().get_openapi_schema(**where)).document()
        return self._document


api = WorkbenchApi(
    title="CCDash Workbench",
    version="1.0",
    description=DESCRIPTION,
    urls_namespace="api",
    docs_url=None,
    auth=[Bearer(), SignedIn()],
)
api.add_router("/workflows", workflows.router)
api.add_router("/workflow-runs", runs.router)
api.add_router("/workflow-runs", run_actions.router)
api.add_router("/runs", singles.router)
api.add_router("/artifacts", artifacts.router)
api.add_router("", resources.router)


def _policy(error: PolicyError) -> HttpResponse:
    if error.status == HTTPStatus.CONFLICT:
        return problem(409, error.code, error.message, state=error.details.get("state"), allowed_actions=[])
    if error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return _invalid(error.code, [{"path": str(error.details.get("field", "")), "message": error.message}])
    return problem(error.status, error.code, error.message)


def _conflict(error: Any) -> HttpResponse:
    state, allowed = getattr(error, "state", None), getattr(error, "allowed_actions", [])
    return problem(409, error.code, str(error), state=state, allowed_actions=list(allowed))


def _invalid(code: str, errors: list[dict[str, str]]) -> HttpResponse:
    return problem(422, code, _first(errors), errors=errors)


def _first(errors: list[dict[str, str]]) -> str:
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{errors[0]['path']}: {errors[0]['message']}{more}".removeprefix(": ")


def _parameters(error: ValidationError) -> HttpResponse:
    """Of the address: query and path. Bodies are read by the views themselves."""
    return _invalid("invalid_request", [{"path": path_of(e["loc"][1:]), "message": e["msg"]} for e in error.errors])


def _fault(error: Exception) -> HttpResponse:
    logger.error("the API failed", exc_info=error)
    return problem(500, "server_error", FAULT)


# The one table: which error is told how. The most special class counts.
TABLE: dict[type[Exception], Callable[[Any], HttpResponse]] = {
    PolicyError: _policy,
    RunConflict: _conflict,
    engine.WrongState: _conflict,
    engine.Unlaunchable: _conflict,
    engine.NotFound: lambda error: problem(404, error.code, str(error)),
    engine.InvalidInput: lambda error: _invalid(error.code, error.errors),
    engine.Busy: lambda error: problem(503, error.code, str(error)),
    OperationalError: lambda error: problem(503, "busy", engine.why_not_written(error)),
    InvalidPlan: lambda error: _invalid("invalid_body", error.errors),
    ValidationError: _parameters,
    AuthenticationError: lambda error: problem(401, "not_authenticated", NOT_SIGNED_IN),
    HttpError: lambda error: problem(error.status_code, "refused", str(error)),
    Http404: lambda error: problem(404, "not_found", "There is no such thing here."),
    BadRequest: lambda error: problem(400, "bad_request", "The request can't be read."),
    SuspiciousOperation: lambda error: problem(400, "bad_request", "The request can't be read."),
    Exception: _fault,
}


def _handler(tell: Callable[[Any], HttpResponse]) -> Callable[[HttpRequest, Any], HttpResponse]:
    return lambda request, error: tell(error)


for _error, _tell in TABLE.items():
    api.add_exception_handler(_error, _handler(_tell))
