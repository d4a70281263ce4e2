"""What an agent's step would get: its provider as it stands in the project, and its documents within the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from orchestration import provider_settings
from orchestration.executors.agents.context import attach, instruction_paths
from orchestration.executors.agents.host import CONTEXT_TOKENS
from orchestration.models import Document
from orchestration.provider_settings import Health
from orchestration.providers import PROVIDERS
from policy.models import Project

Data = dict[str, Any]
CAN = {
    "streaming": "live text",
    "resume": "taken up after a restart",
    "cancel": "stopped at once",
    "structured_output": "structured answers",
    "tools": "tools",
}
BYTES_A_TOKEN = 3.5


def look(project: Project, steps: Iterable[Mapping[str, Any]]) -> dict[int, Data]:
    """For `_builder_agent.html`, by the place of each step of an agent."""
    health = cache(lambda name: provider_settings.health(project, name))
    return {
        index: {"index": index, "provider": _provider(step, health), "context": _context(project, step)}
        for index, step in enumerate(steps)
        if step.get("type") == "sdk"
    }


def documents(found: Iterable[Document]) -> list[tuple[str, str]]:
    """What the picker offers: a path, and how much it is."""
    return [(document.path, _size(document)) for document in found]


def _size(document: Document) -> str:
    tokens = int(document.size / BYTES_A_TOKEN) + 1
    return f"{document.title}, about {tokens:,} tokens"


def _provider(step: Mapping[str, Any], health: Callable[[str], Health]) -> Data | None:
    name = step.get("provider")
    if not isinstance(name, str) or name not in PROVIDERS:
        return None
    found = health(name)
    problems = list(found.problems)
    model = step.get("model") or found.model
    if not (model or found.simulated or problems):
        problems.append("No model is named, neither here nor in the project's settings.")
    can = [words for part, words in CAN.items() if getattr(found.capabilities, part)]
    return {"label": found.label, "simulated": found.simulated, "model": model, "can": can, "problems": problems}


def _context(project: Project, step: Mapping[str, Any]) -> Data | None:
    named = step.get("context")
    paths = [path for path in named if isinstance(path, str)] if isinstance(named, list) else []
    folder = Path(project.path)
    instructions = instruction_paths(folder) if project.allow_instructions else []
    if not (paths or instructions):
        return None
    found = attach(folder, [*instructions, *paths], CONTEXT_TOKENS)
    share = min(100, round(found.tokens * 100 / CONTEXT_TOKENS))
    told = {"tokens": found.tokens, "limit": CONTEXT_TOKENS, "share": share}
    return {**told, "cut": list(found.cut), "instructions": instructions}
