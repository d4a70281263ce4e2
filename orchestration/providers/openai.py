"""OpenAI and servers that speak its Responses API: background with a stream that can be taken up, or foreground.

The handle is the response's id; the cursor counts the events seen, so that `starting_after` is cursor - 1.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from .base import Capabilities, Handle, Provider, ProviderError, ProviderEvent, TurnRequest, TurnResult
from .config import ProviderConfig, address_problems, key_problems
from .faults import translated
from .openai_shapes import ACTIVE, TERMINAL, arguments, turn_result
from .streams import events as streamed
from .streams import unstreamed
from .wire import Wire

TEXT = ("response.output_text.delta", "response.refusal.delta")
THINKING = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
POLL_SECONDS = (0.5, 1.0, 2.0, 4.0)
ASK_SECONDS = 30.0  # for small questions: status, cancel, check


class OpenAIProvider(Provider):
    name = "openai"
    label = "OpenAI"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._foreground = config.foreground
        self._chain = (not config.foreground) if config.chain is None else config.chain
        self._notice = ""
        self._wire: Wire | None = None
        self._sdk: Any = None
        self._open: dict[str, Iterable[dict[str, Any]]] = {}  # response id -> events, the first one included
        self._items: dict[
            str, list[Any]
        ] = {}  # response id -> its items so far, where its stream was read from the start
        self._whole: dict[str, dict[str, Any]] = {}  # response id -> the finished response
        self._stop = threading.Event()

    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        problems = address_problems(self.config.base_url) or key_problems(self.config)
        if not (definition.get("model") or self.config.model):
            problems.append("No model is named, neither by the step nor by the project's settings.")
        return problems

    def capabilities(self) -> Capabilities:
        return Capabilities(resume=not self._foreground, background=not self._foreground)

    def start(self, request: TurnRequest) -> Handle:
        try:
            return self._start(request)
        except ProviderError as error:
            if not self._plainer(error):
                raise
            return self._start(request)

    def events(self, handle: Handle, cursor: int = 0) -> Iterator[ProviderEvent]:
        name, cursor = str(handle["response_id"]), max(cursor, int(handle.get("seen", 0)))
        if self._notice:
            yield ProviderEvent("notice", self._notice, cursor)
        self._notice = ""
        source = self._open.pop(name, None)
        while name not in self._whole:
            if source is None:
                source = self._again(handle, cursor)
            try:
                for event in self._read(name, source, cursor):
                    cursor = event.cursor
                    yield event
            except ProviderError as error:
                if error.kind != "timeout" or not self._still_works(handle):
                    raise
                source = None

    def keeps(self, handle: Handle) -> bool:
        return bool(handle.get("background"))

    def status(self, handle: Handle) -> str:
        if not self.keeps(handle):
            return "unknown"
        try:
            state = str(self._fetch(str(handle["response_id"])).get("status"))
        except ProviderError as error:
            if error.kind == "not_found":
                return "unknown"
            raise
        return "canceled" if state == "cancelled" else state

    def cancel(self, handle: Handle) -> None:
        if not handle.get("background"):
            return self.abort()
        try:
            with translated(self.config.api_key):
                self._client().responses.cancel(str(handle["response_id"]), timeout=ASK_SECONDS)
        except ProviderError as error:
            if error.kind not in ("not_found", "invalid", "server"):
                raise
        return None

    def collect(self, handle: Handle) -> TurnResult:
        name = str(handle["response_id"])
        whole = self._whole.pop(name, None)
        if whole is None and not handle.get("background"):
            raise ProviderError("lost", "The answer was streamed to a process that is gone.", retryable=True)
        whole = whole or self._fetch(name)
        if whole.get("status") in ACTIVE:
            raise ProviderError("cut", "The answer is not finished.", retryable=True)
        is_kept = whole.get("store") is not False and (self.keeps(handle) or bool(self.config.chain))
        return replace(turn_result(whole), is_kept=is_kept)

    def abort(self) -> None:
        self._stop.set()
        if self._wire is not None:
            self._wire.abort()

    def check(self) -> list[str]:
        problems = address_problems(self.config.base_url) or key_problems(self.config)
        if problems:
            return problems
        try:
            with translated(self.config.api_key):
                self._client().models.list(timeout=ASK_SECONDS)
        except ProviderError as error:
            return [] if error.kind == "not_found" else [error.sentence]
        return []

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

    # asking

    def _client(self) -> Any:
        if self._sdk is None:
            from openai import OpenAI  # seconds: only where an agent really runs

            self._wire = Wire(self.config)
            self._sdk = OpenAI(
                api_key=self.config.api_key or "none",
                base_url=self.config.base_url,
                max_retries=0,  # who waits, and how long, is decided in one place
                http_client=self._wire.client,
            )
        return self._sdk

    def _start(self, request: TurnRequest) -> Handle:
        with translated(self.config.api_key):
            asked = arguments(request, chain=self._chain, background=not self._foreground)
            stream = self._client().responses.create(
                **asked, stream=True, extra_headers={"Idempotency-Key": request.idempotency_key}
            )
            events = streamed(stream, self.config.api_key)
            begun = _beginning(stream, events)
        response = begun[-1].get("response") or begun[-1]
        name = str(response.get("id") or "")
        if not name:
            raise ProviderError("garbage", "The provider did not name its response.", retryable=True)
        self._open[name], self._items[name] = chain(begun, events), []
        background = not self._foreground and response.get("background") is not False
        if not (background or self._foreground):
            self._go_to_foreground()
        return {"provider": self.name, "response_id": name, "background": background}

    def _plainer(self, error: ProviderError) -> bool:
        """Whether the request may be accepted in a plainer form: whole transcript, or in the foreground."""
        words = f"{error.sentence} {error.about}".lower()
        if self._chain and error.kind in ("not_found", "invalid") and "previous" in words:
            self._chain = False
            return True
        if not self._foreground and error.kind == "invalid" and "background" in words:
            self._go_to_foreground()
            return True
        return False

    def _go_to_foreground(self) -> None:
        """Such a server keeps no answers, so that none can be referred to either."""
        self._foreground, self._chain = True, bool(self.config.chain)
        self._notice = "This server has no background responses: the answer is streamed in the foreground."

    # reading

    def _again(self, handle: Handle, cursor: int) -> Iterable[dict[str, Any]]:
        """Take up a stream where it was left; where that can't be done, the finished response is waited for."""
        name = str(handle["response_id"])
        if not handle.get("background"):
            raise ProviderError("lost", "The answer was streamed to a process that is gone.", retryable=True)
        after = {"starting_after": cursor - 1} if cursor else {}
        if not cursor:
            self._items[name] = []
        try:
            with translated(self.config.api_key):
                stream = self._client().responses.retrieve(name, stream=True, **after)
                whole = unstreamed(stream)
        except ProviderError as error:
            if error.kind not in ("invalid", "not_found"):
                raise
            return [self._fetch(name)]
        return streamed(stream, self.config.api_key) if whole is None else [whole]

    def _read(self, name: str, events: Iterable[dict[str, Any]], cursor: int) -> Iterator[ProviderEvent]:
        for data in events:
            if data.get("object") == "response":
                self._keep(name, data)
                yield ProviderEvent("text", turn_result(self._whole[name]).text, cursor)
                return
            number = data.get("sequence_number")
            if isinstance(number, int) and number < cursor:
                continue
            cursor = number + 1 if isinstance(number, int) else cursor
            yield self._understand(name, data, cursor)
            if name in self._whole:
                return
        raise ProviderError("cut", "The provider's stream ended before the answer did.", retryable=True)

    def _understand(self, name: str, data: dict[str, Any], cursor: int) -> ProviderEvent:
        kind = str(data.get("type"))
        if kind in TEXT:
            return ProviderEvent("text", str(data.get("delta") or ""), cursor)
        if kind in THINKING:
            return ProviderEvent("thinking", str(data.get("delta") or ""), cursor)
        if kind in TERMINAL and isinstance(data.get("response"), dict):
            self._finish(name, {"status": kind.removeprefix("response."), **data["response"]})
        item = data.get("item")
        if kind == "response.output_item.done" and name in self._items:
            self._items[name].append(item)
        if kind == "response.output_item.added" and isinstance(item, dict) and item.get("type") == "function_call":
            return ProviderEvent("tool", str(item.get("name") or ""), cursor)
        return ProviderEvent("progress", "", cursor)

    def _keep(self, name: str, response: dict[str, Any]) -> None:
        """A server that answered with a response instead of a stream: finished, or to be waited for."""
        if response.get("status") in ACTIVE:
            self._wait_for(name)
        else:
            self._finish(name, response)

    def _finish(self, name: str, response: dict[str, Any]) -> None:
        if response.get("status") in ACTIVE or str(response.get("id") or name) != name:
            raise ProviderError("garbage", "The provider ended its answer with another one.", retryable=True)
        items = response.get("output") or self._items.pop(name, [])
        self._whole[name] = {**response, "id": name, "output": items}

    def _wait_for(self, name: str) -> None:
        for tries in range(10**9):
            response = self._fetch(name)
            if response.get("status") not in ACTIVE:
                self._finish(name, response)
                return
            if self._stop.wait(POLL_SECONDS[min(tries, len(POLL_SECONDS) - 1)]):
                raise ProviderError("canceled", "The agent was stopped.")

    def _still_works(self, handle: Handle) -> bool:
        """A long silence in the background is no fault as long as the provider says that it works."""
        return bool(handle.get("background")) and not self._stop.is_set() and self.status(handle) in ACTIVE

    def _fetch(self, name: str) -> dict[str, Any]:
        with translated(self.config.api_key):
            return _data(self._client().responses.retrieve(name, timeout=ASK_SECONDS))


def _beginning(stream: Any, events: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events up to the one that names the response, or the whole response where a server does not stream."""
    if (whole := unstreamed(stream)) is not None:
        return [whole]
    seen: list[dict[str, Any]] = []
    for data in events:
        seen.append(data)
        if isinstance(data.get("response"), dict):
            return seen
    raise ProviderError("cut", "The provider's stream ended before the answer did.", retryable=True)


def _data(response: Any) -> dict[str, Any]:
    data = response.to_dict(mode="json")
    if not isinstance(data, dict):
        raise TypeError("no JSON object")
    return data
