"""An answer as JSON. What `reading` built goes out as it is; that it has the promised shape is held by tests."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse


class Answer(HttpResponse):
    def __init__(self, data: Any, status: int = 200) -> None:
        super().__init__(
            json.dumps(data, allow_nan=False, separators=(",", ":")), status=status, content_type="application/json"
        )
        self.data = data
