"""What an agent leaves behind: the checked answer, its outputs, usage with cost, and the transcript as an artifact."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from orchestration.providers.pricing import price_version

from ..base import FoundArtifact
from .state import AgentState

MAX_TEXT_OUTPUT = 64_000


class Unfit(Exception):
    """The answer does not fit the schema that the step promises; the message says how."""


def output_schema(definition: Mapping[str, Any]) -> dict[str, Any] | None:
    """The step's own schema, or one made of the outputs it promises."""
    schema = definition.get("output_schema")
    promised = [name for name in definition.get("outputs") or () if name != "text"]
    if schema is not None or not promised:
        return schema
    properties = {name: {"type": "string"} for name in promised}
    return {"type": "object", "properties": properties, "required": promised, "additionalProperties": False}


def schema_problems(schema: object) -> list[str]:
    if not isinstance(schema, dict):
        return ["output_schema must be a JSON schema object."]
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return [f"output_schema is not a valid JSON schema: {error.message[:300]}"]
    return []


def structured(text: str, schema: Mapping[str, Any]) -> Any:
    """The answer as data, checked. Raises Unfit."""
    try:
        value = json.loads(_bare(text))
    except (ValueError, RecursionError):
        raise Unfit("the answer is not valid JSON") from None
    faults = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda fault: list(map(str, fault.path)))
    if faults:
        raise Unfit("; ".join(f"{fault.json_path}: {fault.message[:200]}" for fault in faults[:5]))
    return value


def outputs(text: str, value: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"text": text[:MAX_TEXT_OUTPUT]}
    if isinstance(value, dict):
        return {**told, **value}
    return told if value is None else {**told, "result": value}


def usage(state: AgentState) -> dict[str, Any]:
    used = state.usage
    return {
        "input_tokens": used.input_tokens,
        "cached_input_tokens": used.cached_input_tokens,
        "output_tokens": used.output_tokens,
        "reasoning_tokens": used.reasoning_tokens,
        "known": used.known,
        "cost_usd": None if state.usd is None else float(round(state.usd, 6)),
        "known_cost_usd": float(round(state.known_usd, 6)),
        "price_version": price_version(),
        "turns": state.turn,
        "tool_calls": state.tool_calls,
    }


def write_transcript(spool: Path, head: Mapping[str, Any], state: AgentState) -> FoundArtifact:
    """The whole conversation as a file in the spool, complete or not there at all."""
    body = {**head, "usage": usage(state), "entries": state.transcript}
    data = json.dumps(body, ensure_ascii=False, indent=1).encode("utf-8", "replace")
    path = spool / "transcript.json"
    waiting = path.with_suffix(".part")
    with waiting.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)
    digest = hashlib.sha256(data).hexdigest()
    return FoundArtifact(
        "transcript.json", path, "transcript", "transcript.json", "application/json", len(data), digest
    )


def _bare(text: str) -> str:
    """Without the code fence that models like to put round JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text.split("\n", 1)[1].rsplit("```", 1)[0]
    return text
