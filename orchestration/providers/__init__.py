"""The registry of agent providers: a new one is one file and one line here. Importing this costs no SDK."""

from __future__ import annotations

from .anthropic import AnthropicProvider
from .base import Provider
from .openai import OpenAIProvider
from .simulated import SimulatedProvider

PROVIDERS: dict[str, type[Provider]] = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
    "simulated": SimulatedProvider,
}
