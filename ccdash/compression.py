"""Pages and JSON go out compressed; files and what streams stay as they are.

Django adds random length to each answer and masks the CSRF token anew, so that its size tells nothing (BREACH).
"""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

COMPRESSED = ("text/html", "application/json", "application/problem+json", "text/markdown", "application/yaml")


class CompressPages(GZipMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        kind = response.get("Content-Type", "").partition(";")[0]
        if response.streaming or kind not in COMPRESSED or response.has_header("Content-Disposition"):
            return response
        return super().process_response(request, response)
