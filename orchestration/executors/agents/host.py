"""What an agent asks of its host beyond the common contract. The worker has it; a plain host gets safe defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from orchestration.providers.base import Usage
from orchestration.providers.config import ProviderConfig, from_environment

from ..base import Host

CONTEXT_TOKENS = 30_000  # for attached documents
LEAST_OUTPUT_TOKENS = 256  # a shorter answer is of no use


@dataclass(frozen=True)
class AgentSettings:
    """What the project allows: where its provider lives, and how much of the repository goes into the context."""

    config: ProviderConfig
    repository_instructions: bool = False  # attach AGENTS.md, CLAUDE.md
    context_tokens: int = CONTEXT_TOKENS


@dataclass(frozen=True)
class Estimate:
    """What one turn may use at most. `key` names the turn: asking twice for one key reserves once."""

    key: str
    input_tokens: int
    output_tokens: int
    usd_per_token: tuple[Decimal, Decimal] | None  # of input, of output; None where the price is unknown
    used: Usage
    used_usd: Decimal | None

    @property
    def usd(self) -> Decimal | None:
        if self.usd_per_token is None:
            return None
        return self.usd_per_token[0] * self.input_tokens + self.usd_per_token[1] * self.output_tokens


@dataclass(frozen=True)
class Reservation:
    """`notice` is a sentence for the timeline (80 % used); `reason` says why it was not granted: used and asked for."""

    granted: bool
    reason: str = ""
    notice: str = ""
    max_output_tokens: int | None = None  # less than was asked for: all that is left


class AgentHost(Host, Protocol):
    def settings(self, provider: str) -> AgentSettings: ...

    def reserve(self, estimate: Estimate) -> Reservation: ...

    def record_usage(self, key: str, usage: Usage, usd: Decimal | None) -> None:
        """Count a turn once, however often the same key is recorded; the reservation of that key ends with it."""

    def diff(self) -> str:
        """The change of this step so far, as a unified diff."""

    def redact(self, text: str) -> str: ...


@runtime_checkable
class HasBudget(Protocol):
    def reserve(self, estimate: Estimate) -> Reservation: ...
    def record_usage(self, key: str, usage: Usage, usd: Decimal | None) -> None: ...


@runtime_checkable
class HasSettings(Protocol):
    def settings(self, provider: str) -> AgentSettings: ...


@runtime_checkable
class HasDiff(Protocol):
    def diff(self) -> str: ...


@runtime_checkable
class HasRedaction(Protocol):
    def redact(self, text: str) -> str: ...


def settings_of(host: Host, provider: str) -> AgentSettings:
    if isinstance(host, HasSettings):
        return host.settings(provider)
    return AgentSettings(from_environment(provider, os.environ))


def reserve(host: Host, estimate: Estimate, budget: Mapping[str, Any]) -> Reservation:
    """The host decides where it keeps a ledger; else the step's own budget is held against what the step used."""
    if isinstance(host, HasBudget):
        return host.reserve(estimate)
    return within_budget(estimate, budget)


def record_usage(host: Host, key: str, usage: Usage, usd: Decimal | None) -> None:
    if isinstance(host, HasBudget):
        host.record_usage(key, usage, usd)


def within_budget(estimate: Estimate, budget: Mapping[str, Any]) -> Reservation:
    """Whether this turn fits into `{max_tokens, max_cost_usd}`, if need be with a shorter answer. Pure."""
    rooms, notices = [], []
    for room in _rooms(estimate, budget):
        if room.output_tokens is None:
            return Reservation(False, f"The price of this model is unknown, so {room.name} can't be kept.")
        if room.output_tokens < min(LEAST_OUTPUT_TOKENS, estimate.output_tokens):
            return Reservation(
                False, f"{room.name}: {_plain(room.used)} of {_plain(room.limit)} used, the next call needs more."
            )
        rooms.append(room.output_tokens)
        if room.used >= room.limit * Decimal("0.8"):
            notices.append(f"{room.name}: {_plain(room.used)} of {_plain(room.limit)} used.")
    shortest = min(rooms, default=estimate.output_tokens)
    limit = shortest if shortest < estimate.output_tokens else None
    return Reservation(True, notice=" ".join(notices), max_output_tokens=limit)


@dataclass(frozen=True)
class _Room:
    name: str
    used: Decimal
    limit: Decimal
    output_tokens: int | None  # how long the answer may be; None where nobody can tell


def _rooms(estimate: Estimate, budget: Mapping[str, Any]) -> list[_Room]:
    rooms = []
    if (tokens := budget.get("max_tokens")) is not None:
        used = estimate.used.total_tokens
        rooms.append(_Room("max_tokens", Decimal(used), Decimal(tokens), int(tokens) - used - estimate.input_tokens))
    if (money := budget.get("max_cost_usd")) is not None:
        rooms.append(_money(estimate, Decimal(str(money))))
    return rooms


def _money(estimate: Estimate, limit: Decimal) -> _Room:
    used = estimate.used_usd
    if used is None or estimate.usd_per_token is None:
        return _Room("max_cost_usd", used or Decimal(0), limit, None)
    of_input, of_output = estimate.usd_per_token
    left = limit - used - of_input * estimate.input_tokens
    return _Room("max_cost_usd", used, limit, int(left / of_output) if of_output else estimate.output_tokens)


def _plain(amount: Decimal) -> str:
    return f"{amount:f}" if amount == amount.to_integral_value() else f"{amount:.4f}"
