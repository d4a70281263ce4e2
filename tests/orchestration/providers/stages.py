"""One stage for each provider: puts a play on and gives a provider that is set up for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from orchestration.executors.agents.host import AgentSettings
from orchestration.providers import PROVIDERS
from orchestration.providers.base import Provider, ToolSpec, TurnRequest
from orchestration.providers.config import ProviderConfig
from orchestration.providers.transcript import user
from tests.orchestration.providers.plays import FakeAnthropic, FakeOpenAI, Turn, raw
from tests.orchestration.providers.wire import FakeProvider, Fault

KEY = "sk-test-0123456789abcdef"
MODELS = {"openai": "gpt-5.5", "anthropic": "claude-sonnet-5", "simulated": ""}
CUT = {"openai": Fault(keep=4), "anthropic": Fault(keep=4)}


@dataclass
class Stage:
    """`server` is None where no server is asked. `resumes`: a turn can be taken up by another process."""

    name: str
    config: ProviderConfig
    server: FakeProvider | None
    prompt: str = "Do it."

    @property
    def resumes(self) -> bool:
        return self.provider().capabilities().resume

    @property
    def settings(self) -> AgentSettings:
        return AgentSettings(self.config)

    def provider(self) -> Provider:
        return PROVIDERS[self.name](self.config)

    def play(self, *turns: Turn) -> None:
        if isinstance(self.server, FakeOpenAI | FakeAnthropic):
            self.server.turns = list(turns)
        else:
            self.prompt = "\n".join(["Do it.", *scripted(turns)])

    def cut_first(self) -> None:
        """The first answer ends in the middle."""
        if self.server is not None:
            self.server.faults.append(CUT[self.name])
        else:
            self.prompt = self.prompt.replace("Do it.", "Do it.\n!cut", 1)

    def fail_first(self, status: int, **headers: str) -> None:
        if self.server is not None:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            self.server.faults.append(Fault(status=status, headers=named, body={"error": {"message": "no"}}))
        else:
            self.prompt = self.prompt.replace("Do it.", f"Do it.\n!fail {status}", 1)

    def hang(self) -> None:
        """The answer begins and never goes on."""
        if self.server is not None:
            self.server.faults.append(Fault(keep=4, hold=True))
        else:
            self.prompt = self.prompt.replace("Do it.", "Do it.\n!hang", 1)

    def request(self, **changes: Any) -> TurnRequest:
        plain = TurnRequest(
            MODELS[self.name], "Be brief.", (user(self.prompt),), tools=(LOOK,), idempotency_key="key-1"
        )
        return replace(plain, **changes)


LOOK = ToolSpec("read_file", "Read a file.", {"type": "object", "properties": {"path": {"type": "string"}}})


@contextmanager
def stage(name: str, **config: Any) -> Iterator[Stage]:
    base = name.split("-", maxsplit=1)[0]
    settings = ProviderConfig(base, api_key=KEY, model=MODELS[base], read_timeout=5.0, **config)
    if base == "simulated":
        yield Stage(base, settings, None)
        return
    fake = {"openai": FakeOpenAI, "anthropic": FakeAnthropic}[base]
    with fake() as server:
        foreground = name == "openai-foreground"
        yield Stage(base, replace(settings, base_url=server.url, foreground=foreground), server)


def scripted(turns: Sequence[Turn]) -> Iterator[str]:
    for turn in turns:
        if turn.thinking:
            yield f"!think {turn.thinking}"
        if turn.text:
            yield f"!{'json' if is_json(turn.text) else 'say'} {turn.text}"
        for index, (name, arguments) in enumerate(turn.calls):
            yield f"!{'also' if index else 'tool'} {name} {raw(arguments)}"
        if turn.ends:
            yield f"!stop {turn.ends}"
        yield f"!usage {turn.usage[0]} {turn.usage[1]}"


def is_json(text: str) -> bool:
    return text.startswith("{") and isinstance(json.loads(text), dict)
