"""The contract between the worker and whatever does one kind of step.

An executor gets a frozen context and a host with callbacks, does the work, and returns an outcome.
It never sees the database, a model or the engine; every durable word goes through the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

MIB = 1024 * 1024


class LeaseLost(Exception):
    """This worker no longer owns the attempt; nothing it learns from here on may be written."""


@dataclass(frozen=True)
class ExecutionLimits:
    max_output_bytes: int = 64 * MIB
    max_artifact_bytes: int = 512 * MIB
    max_artifact_files: int = 1_000
    grace_seconds: float = 10.0
    nofile: int | None = 4_096
    file_bytes: int | None = 64 * 1024 * MIB
    memory_bytes: int | None = None
    # Of the whole account that runs the product, and not counted for root.
    processes: int | None = 8_192


@dataclass(frozen=True)
class StepContext:
    project: str
    feature: str
    run_id: str
    run_number: int
    step_key: str
    step_name: str
    step_type: str
    definition: Mapping[str, Any]
    attempt_id: str
    attempt: int
    token: int
    workspace: Path
    spool: Path
    artifacts_dir: Path
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    scope: Mapping[str, Any] = field(default_factory=dict)
    timeout_seconds: float | None = None
    limits: ExecutionLimits = ExecutionLimits()
    sandbox: str = "none"
    # For the sandbox: the repository's git folder, the worktree's own in it, and what must not be seen.
    git_folder: Path | None = None
    git_admin: Path | None = None
    hidden_paths: tuple[Path, ...] = ()
    # None starts the attempt; a mapping (empty where it was never stored) takes it up again.
    handle: Mapping[str, Any] | None = None
    checkpoint: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True)
class Permission:
    kind: str  # allowed | refused | pending
    reason: str = ""
    approval_id: str = ""


@dataclass(frozen=True)
class FoundArtifact:
    """Bytes that a step left, as a private copy at `path` that nobody else can change any more."""

    name: str
    path: Path
    kind: str
    relative_path: str
    media_type: str
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class CheckResult:
    name: str
    kind: str
    passed: bool
    required: bool
    message: str


@dataclass(frozen=True)
class Outcome:
    kind: str  # succeeded | failed | canceled | interrupted | never_started | checkpoint
    reason: str = ""
    error: str = ""
    exit_code: int | None = None
    signal: int | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: tuple[FoundArtifact, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    usage: Mapping[str, Any] = field(default_factory=dict)
    extension: Mapping[str, Any] = field(default_factory=dict)
    effect_unknown: bool = False
    group_empty: bool = True


class Host(Protocol):
    """What a worker does for the attempt it drives. Any call may raise LeaseLost."""

    def emit(self, kind: str, data: Mapping[str, Any]) -> None:
        """Add a line to the step's timeline."""

    def log(self, stream: str, data: bytes, spool_offset: int) -> None:
        """Take raw output; redact, store, and remember in the same breath that `spool_offset` is reached."""

    def control(self) -> str:
        """Say "none", "cancel", or "look": an agent's provider is further than its stream told. Cheap: executors ask
        in every loop."""

    def save_handle(self, handle: Mapping[str, Any]) -> None:
        """Durable before it returns."""

    def save_checkpoint(self, checkpoint: Mapping[str, Any], handle: Mapping[str, Any] | None = None) -> None:
        """Durable before it returns; with a handle both or none."""

    def permit(self, call: ToolCall) -> Permission:
        """Ask policy about an agent's tool call."""

    def log_offset(self) -> int:
        """The spool offset stored so far: reading goes on here."""


class Executor(Protocol):
    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        """Sentences about what is wrong with a step's definition; empty when it can run."""

    def execute(self, context: StepContext, host: Host) -> Outcome:
        """Start the attempt, or with a handle take it up again, and follow it to its end."""
