"""What a tool of an agent is. A tool is only ever run after it was granted to the step and permitted by policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base import Host, StepContext


class ToolFailure(Exception):
    """The call could not be made; the message goes back to the model."""


@dataclass(frozen=True)
class ToolOutput:
    text: str
    is_error: bool = False
    summary: str = ""  # one line for the timeline; the beginning of the text where empty
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where one call works. `spool` is a folder of this call alone, the same one when it is taken up again."""

    context: StepContext
    host: Host
    spool: Path
    diff: Callable[[], str]
    seconds_left: Callable[[], float]

    @property
    def workspace(self) -> Path:
        return self.context.workspace


Run = Callable[[Mapping[str, Any], Place], ToolOutput]


@dataclass(frozen=True)
class Tool:
    """`effects`: False where it only reads. `take_up` goes on with a call that was started and has no result."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Run
    effects: bool = False
    take_up: Run | None = None


def parameters(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The JSON schema of a tool's arguments: nothing beyond the named ones."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def text(description: str, longest: int = 4096) -> dict[str, Any]:
    return {"type": "string", "description": description, "maxLength": longest}
