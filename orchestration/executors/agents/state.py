"""Everything an agent must remember to go on in another process: the attempt's checkpoint, as JSON.

A call's `state` is open (not decided, not made), pending (waits for a decision) or started (its effect may have begun).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from orchestration.providers.base import TurnResult, Usage
from orchestration.providers.transcript import assistant, tool_results, turns

VERSION = 1


@dataclass(frozen=True)
class Question:
    """Which answer is asked for: another turn is another question, and so is a turn whose answer was given up."""

    turn: int
    asks: int

    def as_data(self) -> dict[str, int]:
        return {"turn": self.turn, "asks": self.asks}


def question_of(checkpoint: Mapping[str, Any] | None) -> Question:
    """The question that an agent with this checkpoint asks next."""
    said = checkpoint or {}
    return Question(int(said.get("turn", 0)) + 1, int(said.get("asks", 0)))


def is_open(handle: Mapping[str, Any] | None, question: Question) -> bool:
    """Whether an attempt's handle names an answer to this question: begun at the provider, and not taken in yet."""
    if not handle or not handle.get("provider_handle"):
        return False
    return Question(int(handle.get("turn", 0)), int(handle.get("asks", 0))) == question


@dataclass
class Call:
    call_id: str  # ours, unique in the step
    provider_call_id: str
    name: str
    arguments: str
    token: int  # of the attempt that asked for it; its spool knows it by this
    state: str = "open"
    approval_id: str = ""
    spool: str = ""
    result: dict[str, Any] | None = None


@dataclass
class AgentState:
    transcript: list[dict[str, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    finish: str = ""
    usage: Usage = field(default_factory=Usage)
    usd: Decimal | None = Decimal(0)
    known_usd: Decimal = Decimal(0)
    spent_seconds: float = 0.0
    corrections: int = 0
    turns_before: int = 0  # turns of attempts that failed; a retry has its own allowance
    asks: int = 0  # how often an answer was given up and asked anew; part of the idempotency key
    tool_calls: int = 0
    model: str = ""
    response_ids: list[str] = field(default_factory=list)
    extension: dict[str, Any] = field(default_factory=dict)

    @property
    def turn(self) -> int:
        return turns(self.transcript)

    @property
    def question(self) -> Question:
        return Question(self.turn + 1, self.asks)

    @property
    def pending(self) -> list[Call]:
        return [call for call in self.calls if call.state == "pending" and call.result is None]

    def add_turn(self, result: TurnResult, usd: Decimal | None, token: int) -> None:
        """Take in a whole answer; its calls get ids of ours, whatever the model called them."""
        self.calls = [
            Call(f"c{token}-{self.turn + 1}-{index}", call.provider_call_id, call.name, call.arguments, token)
            for index, call in enumerate(result.calls, 1)
            if result.finish == "tool_calls"
        ]
        self.tool_calls += len(self.calls)
        self.transcript.append(assistant(result))
        self.finish, self.model = result.finish, result.model or self.model
        self.add_usage(result.usage, usd)
        self.response_ids.append(result.response_id)
        self.extension.update(result.extension)

    def add_usage(self, used: Usage, usd: Decimal | None) -> None:
        self.usage = self.usage.plus(used)
        self.usd = None if self.usd is None or usd is None else self.usd + usd
        self.known_usd += usd or 0

    def withdraw(self) -> None:
        """Take the last answer out again, so that a retry asks for another one instead of failing on the same."""
        self.transcript.pop()
        self.finish, self.corrections, self.asks = "", 0, self.asks + 1

    def close_calls(self) -> None:
        """All calls of the turn have results: they become the next entry of the transcript."""
        results = [{"id": call.provider_call_id, **(call.result or {})} for call in self.calls]
        self.transcript.append(tool_results(results))
        self.calls = []

    def lose_answer(self) -> None:
        """An answer that may have been paid for can't be had: from here on the sums are lower bounds."""
        self.asks += 1
        self.usage = self.usage.plus(Usage(known=False))
        self.usd = None

    def to_json(self) -> dict[str, Any]:
        plain = {name.name: getattr(self, name.name) for name in fields(self)}
        return {
            **plain,
            "version": VERSION,
            "turn": self.turn,
            "pending": [call.call_id for call in self.pending],
            "calls": [dict(vars(call)) for call in self.calls],
            "usage": dict(vars(self.usage)),
            "usd": None if self.usd is None else str(self.usd),
            "known_usd": str(self.known_usd),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AgentState:
        known = {name.name for name in fields(cls)}
        plain = {name: value for name, value in data.items() if name in known}
        plain["transcript"] = [dict(entry) for entry in data["transcript"]]
        plain["calls"] = [Call(**call) for call in data["calls"]]
        plain["usage"] = Usage(**data["usage"])
        plain["usd"] = None if data["usd"] is None else Decimal(data["usd"])
        plain["known_usd"] = Decimal(data["known_usd"])
        return cls(**plain)
