"""Somebody who speaks HTTP: with a token, or signed in at a browser with cookies and a CSRF token."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from policy import tokens
from tests.factories import PASSWORD

ROOT = "/api/execution"


class Caller:
    """Asks as one person; what is sent besides stands in `headers`."""

    def __init__(self, client: Client, headers: dict[str, str] | None = None) -> None:
        self.client, self.headers = client, headers or {}

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(ROOT + path, query, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.send(path, json.dumps({} if body is None else body), **headers)

    def send(self, path: str, raw: str | bytes, content_type: str = "application/json", **headers: str) -> HttpResponse:
        """A body as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(ROOT + path, raw, content_type=content_type, headers={**self.headers, **named})


def with_token(user: User, *, may_approve: bool = False) -> Caller:
    _, raw = tokens.create(user, may_approve=may_approve)
    return Caller(Client(), {"Authorization": f"Bearer {raw}"})


def at_browser(user: User, *, csrf: bool = True) -> Caller:
    """Signed in through the page, held to CSRF as a browser is."""
    client = Client(enforce_csrf_checks=True)
    page = client.get("/accounts/login/")
    token = client.cookies["csrftoken"].value
    client.post(
        "/accounts/login/", {"username": user.get_username(), "password": PASSWORD, "csrfmiddlewaretoken": token}
    )
    assert page.status_code == 200
    return Caller(client, {"X-CSRFToken": client.cookies["csrftoken"].value} if csrf else {})


def problem_of(response: HttpResponse, status: int) -> dict[str, Any]:
    """The problem document, after a look at whether it is one."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = json.loads(response.content)
    assert told["status"] == status
    assert {"type", "title", "detail"} <= told.keys()
    return told
