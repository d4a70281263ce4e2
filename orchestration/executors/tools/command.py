"""The tool that runs a command: under the supervisor and in the sandbox of a command step, in the call's own spool.

A call whose process died under way is taken up in that folder: its result is adopted, never a second one made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestration.spool import Exit, Spool

from .. import base
from ..command import judge
from ..supervised import Supervised
from . import paths
from .base import Place, Tool, ToolOutput, parameters, text

MAX_SECONDS = 3600
DEFAULT_SECONDS = 600
KEPT_BYTES = 30_000
HANDLE = "handle.json"


class CommandHost:
    """A host for the command executor: keeps the ends of the output and passes orders on."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._head = b""
        self._tail = b""
        self._size = 0

    @property
    def text(self) -> str:
        left_out = self._size - len(self._head) - len(self._tail)
        middle = f"\n[… {left_out} bytes left out …]\n".encode() if left_out else b""
        return (self._head + middle + self._tail).decode("utf-8", "replace")

    def emit(self, kind: str, data: Mapping[str, Any]) -> None:
        """Of interest to a command step alone."""

    def log(self, stream: str, data: bytes, spool_offset: int) -> None:
        self._size += len(data)
        room = KEPT_BYTES // 2 - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail = (self._tail + (data[room:] if room > 0 else data))[-KEPT_BYTES // 2 :]

    def log_offset(self) -> int:
        return 0  # a call taken up reads its output from the beginning

    def control(self) -> str:
        """Whether to end; that a provider is further than it told does not matter here."""
        return "cancel" if self._place.host.control() == "cancel" else "none"

    def save_handle(self, handle: Mapping[str, Any]) -> None:
        paths.write_bytes(self._place.spool, HANDLE, json.dumps(dict(handle)).encode())

    def save_checkpoint(self, checkpoint: Mapping[str, Any], handle: Mapping[str, Any] | None = None) -> None:
        """A command has none."""

    def permit(self, call: base.ToolCall) -> base.Permission:
        return base.Permission("refused", "a command makes no tool calls")


def run_command(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    return _follow(arguments, place, None)


def take_up_command(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    try:
        handle = json.loads(paths.read_bytes(place.spool, HANDLE, 65_536))
    except (OSError, ValueError):
        handle = {}
    output = _follow(arguments, place, handle)
    may_begin = output.facts.get("never_started") and place.host.control() == "none"
    return _follow(arguments, _fresh(place), None) if may_begin else output


def _follow(arguments: Mapping[str, Any], place: Place, handle: Mapping[str, Any] | None) -> ToolOutput:
    seconds = min(float(arguments.get("timeout_seconds", DEFAULT_SECONDS)), MAX_SECONDS, max(1.0, place.seconds_left()))
    context = replace(place.context, spool=place.spool, secrets={}, timeout_seconds=seconds, handle=handle)
    host = CommandHost(place)
    command = Supervised(
        context,
        host,
        Spool(place.spool),
        line=str(arguments["command"]),
        timeout_seconds=seconds,
    )
    end = command.start() if handle is None else command.take_up()
    return _told(end if isinstance(end, base.Outcome) else ended(end, context), host.text, seconds)


def ended(end: Exit, context: base.StepContext) -> base.Outcome:
    return replace(judge(end, context), group_empty=end.group_empty)


def _told(outcome: base.Outcome, output: str, seconds: float) -> ToolOutput:
    facts = {"exit_code": outcome.exit_code, "outcome": outcome.kind, "group_empty": outcome.group_empty}
    if outcome.kind == "never_started":
        return ToolOutput("the command was not started", is_error=True, facts={**facts, "never_started": True})
    if outcome.kind == "interrupted":
        lost = "the command was interrupted and its result is unknown; look at what it did before you go on"
        return ToolOutput(f"{lost}\n{output}", is_error=True, summary=lost, facts=facts)
    if outcome.reason == "timeout":
        line = f"timed out after {seconds:.0f} seconds"
    elif outcome.exit_code is not None:
        line = f"exit code {outcome.exit_code}"
    else:
        line = outcome.error or f"ended by signal {outcome.signal}"
    return ToolOutput(f"{line}\n{output}", is_error=outcome.kind != "succeeded", summary=line, facts=facts)


def _fresh(place: Place) -> Place:
    """Another folder: the first one is proof that nothing was begun there, and stays so."""
    return replace(place, spool=place.spool.with_name(f"{place.spool.name}-again"))


RUN_COMMAND = Tool(
    "run_command",
    "Run a bash command line in the workspace and get its exit code and output.",
    parameters(
        {"command": text("One bash command line.", 8192)},
        {
            "timeout_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_SECONDS},
        },
    ),
    run_command,
    effects=True,
    take_up=take_up_command,
)
