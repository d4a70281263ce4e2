"""The transcript of an agent: JSON entries, the same for every provider. Pure.

`{"role": "user", "text", "attachments"?}` · `{"role": "assistant", "text", "calls", "raw", "response_id", "is_kept"}` ·
`{"role": "tool", "results": [{"id", "text", "is_error"}]}`, where `id` is the provider's call id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .base import Entry, TurnResult


def user(text: str, attachments: str = "") -> dict[str, Any]:
    return {"role": "user", "text": text, "attachments": attachments}


def assistant(result: TurnResult) -> dict[str, Any]:
    calls = [{"id": call.provider_call_id, "name": call.name, "arguments": call.arguments} for call in result.calls]
    return {
        "role": "assistant",
        "text": result.text,
        "calls": calls,
        "raw": [dict(item) for item in result.raw],
        "response_id": result.response_id,
        "is_kept": result.is_kept,
    }


def tool_results(results: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {"role": "tool", "results": [dict(result) for result in results]}


def turns(transcript: Sequence[Entry]) -> int:
    """How many turns the model has answered."""
    return sum(1 for entry in transcript if entry["role"] == "assistant")


def user_text(entry: Entry) -> str:
    """The words sent for a user's entry: attached documents first, then what is asked."""
    attachments = str(entry.get("attachments") or "")
    return f"{attachments}\n\n{entry['text']}" if attachments else str(entry["text"])


def estimate_tokens(value: object) -> int:
    """A cheap upper guess, good enough to reserve a budget: three and a half bytes a token."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return int(len(text.encode("utf-8", "surrogatepass")) / 3.5) + 1
