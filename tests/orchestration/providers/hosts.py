"""A host for agents, and a way to run one to its end, on any stage."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.executors.agent import AgentExecutor
from orchestration.executors.agents.host import AgentSettings, Estimate, Reservation, within_budget
from orchestration.executors.base import Outcome, Permission, StepContext, ToolCall
from orchestration.providers.base import Usage
from orchestration.providers.retry import RetryPolicy
from tests.orchestration.fakes import FakeHost, make_context
from tests.orchestration.providers.stages import MODELS, Stage

EAGER = RetryPolicy(max_tries=3, base_seconds=0.0, cap_seconds=0.0)
READING = ("list_files", "read_file", "search_files")
WRITING = (*READING, "write_file", "edit_file", "run_command", "show_diff", "write_artifact")


class Died(Exception):
    """The process was killed at this very moment."""


class AgentFakeHost(FakeHost):
    """`decide` answers permit; `dies` is asked with (what, data) before anything durable and may raise Died."""

    def __init__(
        self,
        settings: AgentSettings,
        *,
        decide: Callable[[ToolCall], Permission] | None = None,
        dies: Callable[[str, Mapping[str, Any]], None] | None = None,
        budget: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._decide = decide or (lambda call: Permission("allowed"))
        self.dies = dies or (lambda what, data: None)
        self.budget = budget or {}
        self.asked: list[ToolCall] = []
        self.used: dict[str, Usage] = {}

    def settings(self, provider: str) -> AgentSettings:
        return self._settings

    def emit(self, kind: str, data: Mapping[str, Any]) -> None:
        self.dies(kind, data)
        super().emit(kind, json.loads(json.dumps(data)))

    def save_handle(self, handle: Mapping[str, Any]) -> None:
        self.dies("handle", handle)
        super().save_handle(json.loads(json.dumps(handle)))
        self.dies("handle saved", handle)

    def save_checkpoint(self, checkpoint: Mapping[str, Any], handle: Mapping[str, Any] | None = None) -> None:
        self.dies("checkpoint", checkpoint)
        super().save_checkpoint(*json.loads(json.dumps([checkpoint, handle])))
        self.dies("checkpoint saved", checkpoint)
        if handle is not None:
            self.dies("handle saved", handle)

    def permit(self, call: ToolCall) -> Permission:
        self.asked.append(call)
        return self._decide(call)

    def reserve(self, estimate: Estimate) -> Reservation:
        return within_budget(estimate, self.budget)

    def record_usage(self, key: str, usage: Usage, usd: Decimal | None) -> None:
        self.used[key] = usage

    def diff(self) -> str:
        return "diff --git a/a b/a\n"

    def redact(self, text: str) -> str:
        return text.replace("hunter2hunter2", "[redacted:PASSWORD]")

    def told(self, kind: str) -> list[Mapping[str, Any]]:
        return [data for name, data in self.events if name == kind]

    def words(self) -> str:
        return self.output("agent").decode()


def make_step(on: Stage, folder: Path, *, tools: tuple[str, ...] = WRITING, **changes: Any) -> StepContext:
    wanted = {
        "type": "sdk",
        "provider": on.name,
        "model": MODELS[on.name] or None,
        "prompt": on.prompt,
        "tools": list(tools),
    }
    definition = {**wanted, **changes.pop("definition", {})}
    (folder / "spool").mkdir(exist_ok=True)
    return make_context(folder, definition=definition, step_type="sdk", **changes)


def run(context: StepContext, host: FakeHost, retry: RetryPolicy = EAGER) -> Outcome:
    return AgentExecutor(retry).execute(context, host)
