"""Where an agent's next attempt goes on: the last checkpoint of its step, if it is still the same task.

The worker's host marks each checkpoint with the digest of the definition that it was made for. An answer that a
provider was still working on when the last attempt ended goes along: it is asked about, not asked for again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from orchestration.executors.agents.state import is_open, question_of
from orchestration.models import ExecutionRun

MARK = "definition"


def marked(checkpoint: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, Any]:
    return {**checkpoint, MARK: definition_digest(definition)}


def carried(step_run_id: int, definition: Mapping[str, Any], *, before: int) -> dict[str, Any] | None:
    """The newest checkpoint of the attempts whose token is less than `before`."""
    if definition["type"] != "sdk" or before <= 1:
        return None
    earlier = ExecutionRun.objects.filter(step_run_id=step_run_id, token__lt=before).order_by("-token")
    found = earlier.filter(checkpoint__isnull=False).values_list("checkpoint", flat=True).first()
    if not found or found.get(MARK) != definition_digest(definition):
        return None
    last = earlier.filter(handle__isnull=False).values_list("handle", flat=True).first()
    return {**found, "handle": _afresh(last)} if last and is_open(last, question_of(found)) else dict(found)


def hand_over(step_run_id: int, carried: Mapping[str, Any] | None) -> None:
    """The answer that goes along is the new attempt's; the earlier one owes nobody an account of it any more."""
    if carried and carried.get("handle"):
        earlier = ExecutionRun.objects.filter(step_run_id=step_run_id).exclude(sync_status="in_sync")
        earlier.update(sync_status="in_sync", sync_error="")


def _afresh(handle: Mapping[str, Any]) -> dict[str, Any]:
    """Without the place in a log that was another attempt's: this one hears the answer from its beginning."""
    return {name: value for name, value in handle.items() if name not in ("cursor", "log_offset")}


def definition_digest(definition: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
