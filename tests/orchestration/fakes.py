"""Stand-ins for the worker's side of an attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestration.executors.base import LeaseLost, Permission, StepContext, ToolCall


class FakeHost:
    """Keeps what it is told. `on_log` may do something when output comes, such as cancel."""

    def __init__(self, *, offset: int = 0, on_log: Callable[[FakeHost], None] | None = None) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.pieces: list[tuple[str, bytes, int]] = []
        self.handles: list[Mapping[str, Any]] = []
        self.checkpoints: list[Mapping[str, Any]] = []
        self.order = "none"
        self.lost = False
        self.offset = offset
        self.on_log = on_log

    def emit(self, kind: str, data: Mapping[str, Any]) -> None:
        self.events.append((kind, data))

    def log(self, stream: str, data: bytes, spool_offset: int) -> None:
        self._check()
        assert spool_offset > self.offset
        self.offset = spool_offset
        self.pieces.append((stream, data, spool_offset))
        if self.on_log:
            self.on_log(self)

    def control(self) -> str:
        self._check()
        return self.order

    def save_handle(self, handle: Mapping[str, Any]) -> None:
        self.handles.append(handle)

    def save_checkpoint(self, checkpoint: Mapping[str, Any], handle: Mapping[str, Any] | None = None) -> None:
        self.checkpoints.append(checkpoint)
        if handle is not None:
            self.handles.append(handle)

    def permit(self, call: ToolCall) -> Permission:
        return Permission("allowed")

    def log_offset(self) -> int:
        return self.offset

    def output(self, stream: str = "stdout") -> bytes:
        return b"".join(data for name, data, _ in self.pieces if name == stream)

    def _check(self) -> None:
        if self.lost:
            raise LeaseLost


def make_context(folder: Path, command: str = "true", **changes: Any) -> StepContext:
    workspace = folder / "workspace"
    workspace.mkdir(exist_ok=True)
    definition = {"type": "command", "command": command, **changes.pop("definition", {})}
    facts: dict[str, Any] = {
        "project": "acme",
        "feature": "search",
        "run_id": "run-1",
        "run_number": 1,
        "step_key": "build",
        "step_name": "Build",
        "step_type": definition["type"],
        "attempt_id": "attempt-1",
        "attempt": 1,
        "token": 7,
        "workspace": workspace,
        "spool": folder / "spool",
        "artifacts_dir": folder / "artifacts",
    }
    return StepContext(definition=definition, **{**facts, **changes})
