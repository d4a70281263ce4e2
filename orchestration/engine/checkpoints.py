"""Where an agent's next attempt goes on: the last checkpoint of its step, if it is still the same task.

The worker's host marks each checkpoint with the digest of the definition that it was made for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from orchestration.models import ExecutionRun

MARK = "definition"


def marked(checkpoint: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, Any]:
    return {**checkpoint, MARK: definition_digest(definition)}


def carried(step_run_id: int, definition: Mapping[str, Any], *, before: int) -> dict[str, Any] | None:
    """The newest checkpoint of the attempts whose token is less than `before`."""
    if definition["type"] != "sdk" or before <= 1:
        return None
    earlier = ExecutionRun.objects.filter(step_run_id=step_run_id, token__lt=before, checkpoint__isnull=False)
    found = earlier.order_by("-token").values_list("checkpoint", flat=True).first()
    return dict(found) if found and found.get(MARK) == definition_digest(definition) else None


def definition_digest(definition: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
