"""Pages go out compressed. Files, what streams and the API stay as they are.

Django adds random length to each answer and masks the CSRF token anew, so that its size tells nothing (BREACH).
"""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

API = "/api/"


class CompressPages(GZipMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_page = response.get("Content-Type", "").startswith("text/html") and not request.path.startswith(API)
        if not is_page or response.streaming or response.has_header("Content-Disposition"):
            return response
        return super().process_response(request, response)
