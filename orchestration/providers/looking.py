"""What a provider knows of an answer that was asked for earlier: how it stands, what came of it; and how to stop it.

Asked by reconciliation, from threads of its own: nothing here knows a database or who may go on with the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from . import PROVIDERS
from .base import Provider, ProviderError, TurnResult
from .config import ProviderConfig

WORKING = ("queued", "in_progress")


@dataclass(frozen=True)
class Look:
    status: str  # as Provider.status
    was_stopped: bool = False
    result: TurnResult | None = None

    @property
    def is_working(self) -> bool:
        return self.status in WORKING


@cache
def keepers() -> list[str]:
    """Providers that keep an answer so that others can ask about it."""
    return [name for name, made in PROVIDERS.items() if made(ProviderConfig(name)).capabilities().background]


def look(config: ProviderConfig, handle: Mapping[str, Any], *, stop: bool, collect: bool) -> Look:
    """Ask once; `stop` ends what still works, `collect` fetches what came of it. Raises ProviderError."""
    provider = PROVIDERS[config.name](config)
    try:
        return _look(provider, dict(handle), stop=stop, collect=collect)
    finally:
        provider.close()


def _look(provider: Provider, handle: dict[str, Any], *, stop: bool, collect: bool) -> Look:
    if not provider.keeps(handle):
        return Look("unknown")
    status = provider.status(handle)
    was_stopped = stop and status in WORKING
    if was_stopped:
        provider.cancel(handle)
        status = provider.status(handle)
    is_over = status not in (*WORKING, "unknown")
    return Look(status, was_stopped, _result(provider, handle) if collect and is_over else None)


def _result(provider: Provider, handle: dict[str, Any]) -> TurnResult | None:
    try:
        return provider.collect(handle)
    except ProviderError:
        return None  # gone since it was named; that it is over was said already
