"""What a browser is told with every answer, beside what Django's own middleware and the content policy say."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

UNUSED = ("camera", "geolocation", "microphone", "payment", "usb", "display-capture", "publickey-credentials-get")
HEADERS = {
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED),
    "Cross-Origin-Resource-Policy": "same-origin",
    # What people see here is for them: no cache keeps it where nothing else was said.
    "Cache-Control": "private, no-store",
}


class BrowserHeaders:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response
