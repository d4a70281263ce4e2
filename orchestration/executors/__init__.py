"""One executor per kind of step. A new one is a file, a line here and a test file."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from orchestration.executors.base import Executor

# Named, not imported: an agent's provider libraries take seconds to load.
EXECUTORS = {
    "command": "orchestration.executors.command:CommandExecutor",
    "validation": "orchestration.executors.validation:ValidationExecutor",
    "sdk": "orchestration.executors.agent:AgentExecutor",
}


@cache
def executor_for(step_type: str) -> Executor:
    if step_type not in EXECUTORS:
        raise LookupError(f"No executor for steps of type {step_type!r}; there are {', '.join(sorted(EXECUTORS))}.")
    module, name = EXECUTORS[step_type].split(":")
    executor: Executor = getattr(import_module(module), name)()
    return executor
