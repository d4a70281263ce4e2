"""The executor of sdk steps: a goal, a model at a provider, and the tools that the step was granted.

The worker calls it like any executor. It turns prompt and documents into a transcript, asks turn by turn, has the
permitted tool calls made, and ends in an outcome. All it must remember is a checkpoint, so any process can go on.
It never sees the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.providers import PROVIDERS
from orchestration.providers.base import Provider
from orchestration.providers.config import ProviderConfig
from orchestration.providers.retry import RetryPolicy

from .agents.host import settings_of
from .agents.loop import Agent
from .agents.result import output_schema, schema_problems
from .agents.state import AgentState
from .agents.watch import Watch
from .base import Host, Outcome, StepContext
from .tools import TOOLS

DEFAULT_SECONDS = 3600.0


class AgentExecutor:
    def __init__(self, retry: RetryPolicy | None = None) -> None:
        self._retry = retry or RetryPolicy()

    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        """What is wrong with the step itself; the project's settings and keys are looked at when it starts."""
        name = str(definition.get("provider") or "")
        if name not in PROVIDERS:
            return [f"There is no provider {name!r}; there are {', '.join(sorted(PROVIDERS))}."]
        problems = [
            f"There is no tool {tool!r}; there are {', '.join(sorted(TOOLS))}."
            for tool in definition.get("tools") or ()
            if tool not in TOOLS
        ]
        schema = output_schema(definition)
        return problems + (schema_problems(schema) if schema is not None else []) + _script_problems(name, definition)

    def execute(self, context: StepContext, host: Host) -> Outcome:
        problems = self.validate_config(context.definition)
        if problems:
            return Outcome(kind="failed", reason="config", error=" ".join(problems))
        settings = settings_of(host, str(context.definition["provider"]))
        provider = PROVIDERS[settings.config.name](settings.config)
        try:
            return self._execute(context, host, provider, settings)
        finally:
            provider.close()

    def _execute(self, context: StepContext, host: Host, provider: Provider, settings: Any) -> Outcome:
        problems = provider.validate_config(context.definition)
        if problems:
            return Outcome(kind="failed", reason="config", error=" ".join(problems))
        state = AgentState.from_json(context.checkpoint) if context.checkpoint else AgentState()
        spent = 0.0 if context.handle is None else state.spent_seconds  # the time of an attempt, not of the step
        watch = Watch(host, context.timeout_seconds or DEFAULT_SECONDS, spent=spent)
        return Agent(context, host, provider, settings, state, watch, self._retry).run()


def _script_problems(name: str, definition: Mapping[str, Any]) -> list[str]:
    if name != "simulated":
        return []
    return PROVIDERS[name](ProviderConfig(name)).validate_config(definition)
