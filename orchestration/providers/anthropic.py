"""Anthropic and servers that speak its Messages API: always streamed, one turn a request.

A turn can't be taken up: what was streamed to a process that died is lost, and is asked anew from the transcript.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .anthropic_shapes import Gathering, arguments, as_events
from .base import Capabilities, Handle, Provider, ProviderError, ProviderEvent, TurnRequest, TurnResult
from .config import ProviderConfig, address_problems, key_problems
from .faults import translated
from .streams import events as streamed
from .streams import unstreamed
from .wire import Wire

ASK_SECONDS = 30.0


class AnthropicProvider(Provider):
    name = "anthropic"
    label = "Anthropic"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._wire: Wire | None = None
        self._sdk: Any = None
        self._open: dict[str, tuple[Iterator[dict[str, Any]], Gathering]] = {}
        self._whole: dict[str, TurnResult] = {}

    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        problems = address_problems(self.config.base_url) or key_problems(self.config)
        if not (definition.get("model") or self.config.model):
            problems.append("No model is named, neither by the step nor by the project's settings.")
        return problems

    def capabilities(self) -> Capabilities:
        return Capabilities(resume=False, background=False)

    def start(self, request: TurnRequest) -> Handle:
        gathering = Gathering()
        with translated(self.config.api_key):
            stream = self._client().messages.create(
                **arguments(request), stream=True, extra_headers={"Idempotency-Key": request.idempotency_key}
            )
            whole = unstreamed(stream)
            events = streamed(stream, self.config.api_key) if whole is None else as_events(whole)
            for event in events:
                gathering.take(event)
                if gathering.message_id:
                    break
        if not gathering.message_id:
            raise ProviderError("cut", "The provider's stream ended before the answer began.", retryable=True)
        self._open[gathering.message_id] = (events, gathering)
        return {"provider": self.name, "response_id": gathering.message_id}

    def events(self, handle: Handle, cursor: int = 0) -> Iterator[ProviderEvent]:
        name = str(handle["response_id"])
        if name not in self._open:
            raise ProviderError("lost", "The answer was streamed to a process that is gone.", retryable=True)
        events, gathering = self._open.pop(name)
        for event in events:
            kind, text = gathering.take(event)
            cursor += 1
            if kind:
                yield ProviderEvent(kind, text, cursor)
            if gathering.complete:
                self._whole[name] = gathering.result()
                return
        raise ProviderError("cut", "The provider's stream ended before the answer did.", retryable=True)

    def status(self, handle: Handle) -> str:
        return "completed" if str(handle["response_id"]) in self._whole else "unknown"

    def cancel(self, handle: Handle) -> None:
        self.abort()

    def collect(self, handle: Handle) -> TurnResult:
        whole = self._whole.pop(str(handle["response_id"]), None)
        if whole is None:
            raise ProviderError("lost", "The answer was streamed to a process that is gone.", retryable=True)
        return whole

    def abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()

    def check(self) -> list[str]:
        problems = address_problems(self.config.base_url) or key_problems(self.config)
        if problems:
            return problems
        try:
            with translated(self.config.api_key):
                self._client().models.list(limit=1, timeout=ASK_SECONDS)
        except ProviderError as error:
            return [] if error.kind == "not_found" else [error.sentence]
        return []

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

    def _client(self) -> Any:
        if self._sdk is None:
            from anthropic import Anthropic  # seconds: only where an agent really runs

            self._wire = Wire(self.config)
            self._sdk = Anthropic(
                api_key=self.config.api_key or "none",  # given, so that no other credential of the server is looked for
                base_url=self.config.base_url,
                max_retries=0,
                http_client=self._wire.client,
            )
        return self._sdk
