"""What every provider of agents promises, and the words used between it and the agent executor.

A provider starts one turn of a model, streams it, says how it stands, cancels it and collects the result. It never
makes a tool call, never retries and never sees the database: those belong to the executor that calls it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .config import ProviderConfig

Handle = dict[str, Any]  # JSON: always "provider" and "response_id"; the rest is the adapter's own
Entry = Mapping[str, Any]  # JSON: one entry of a transcript, see transcript.py


@dataclass(frozen=True)
class Capabilities:
    """What a provider can do, as shown to people and read by the executor."""

    streaming: bool = True
    cancel: bool = True  # the provider itself stops working
    resume: bool = False  # a stream can be taken up again by another process
    artifacts: bool = True
    background: bool = False
    structured_output: bool = True
    tools: bool = True
    simulated: bool = False


@dataclass(frozen=True)
class ToolSpec:
    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class ToolRequest:
    """A tool call as the model wrote it: nothing here is trusted, `arguments` may be no JSON at all."""

    provider_call_id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class TurnRequest:
    model: str
    system: str
    transcript: tuple[Entry, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_output_tokens: int | None = None
    output_schema: Mapping[str, Any] | None = None
    idempotency_key: str = ""
    tries: int = 0  # how often this turn was asked before


@dataclass(frozen=True)
class ProviderEvent:
    """`kind`: text, thinking, tool, progress or notice. `cursor` is where a later `events` call would go on."""

    kind: str
    text: str = ""
    cursor: int = 0


@dataclass(frozen=True)
class Usage:
    """Tokens of one turn or of many. `known` is False when an answer was lost: then the sums are lower bounds."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    known: bool = True

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def plus(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.known and other.known,
        )


@dataclass(frozen=True)
class TurnResult:
    """One finished turn.

    `finish`: stop, tool_calls, length, content_filter, refusal, pause, context_window, canceled, failed, or a word that
    only the provider knows.
    """

    finish: str
    text: str = ""
    calls: tuple[ToolRequest, ...] = ()
    raw: tuple[Mapping[str, Any], ...] = ()  # the provider's own items, given back unchanged in later turns
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    response_id: str = ""
    is_kept: bool = True  # the provider keeps it, so that a later turn may refer to it
    error: str = ""
    retryable: bool = False
    extension: Mapping[str, Any] = field(default_factory=dict)


class ProviderError(Exception):
    """A turn could not be had. The message is a sentence for people and holds no secret.

    `kind`: connect, timeout, rate_limit, overloaded, server, cut, garbage, auth, invalid, not_found, lost, failed,
    config or canceled.
    """

    def __init__(
        self,
        kind: str,
        sentence: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
        request_id: str = "",
        about: str = "",
    ) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence
        self.retryable = retryable
        self.retry_after = retry_after
        self.status = status
        self.request_id = request_id
        self.about = about  # the provider's own names for it: code and parameter


class Provider(ABC):
    """One agent provider with one configuration. Not shared between threads, except for `abort`."""

    name: str = ""
    label: str = ""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config

    @abstractmethod
    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        """Say in sentences what is wrong with the step or with this configuration; empty when it can start."""

    @abstractmethod
    def capabilities(self) -> Capabilities: ...

    @abstractmethod
    def start(self, request: TurnRequest) -> Handle:
        """Ask for one turn and return once the provider named it. The caller stores the handle before it reads on."""

    @abstractmethod
    def events(self, handle: Handle, cursor: int = 0) -> Iterator[ProviderEvent]:
        """Stream a started turn, from `cursor` on. Ends only after a whole answer, else raises."""

    @abstractmethod
    def status(self, handle: Handle) -> str:
        """queued, in_progress, completed, failed, incomplete, canceled, or unknown where the provider can't tell."""

    def keeps(self, handle: Handle) -> bool:
        """Whether the provider itself keeps this turn, so that anybody who has the handle can ask about it."""
        return False

    @abstractmethod
    def cancel(self, handle: Handle) -> None:
        """Stop the turn at the provider where it can be stopped; never raises for a turn that is already over."""

    @abstractmethod
    def collect(self, handle: Handle) -> TurnResult:
        """The result of a turn that is over. Raises ProviderError("lost") where it can't be had any more."""

    def abort(self) -> None:  # noqa: B027 - not every provider can block
        """Wake a thread that is blocked in `start` or `events`. May be called from any thread."""

    def check(self) -> list[str]:
        """Test the connection with a cheap call; sentences about what is wrong, empty when all is well."""
        return []

    def close(self) -> None:  # noqa: B027 - not every provider has connections
        """Give back connections."""
