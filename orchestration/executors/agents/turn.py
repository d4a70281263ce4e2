"""One turn of the model, however often it must be asked: start or take up, stream, wait, collect.

Only a whole answer leaves this file. A cut stream is taken up where the provider can do that, else the turn is asked
anew; nothing of it has been carried out yet, so that is safe.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.providers.base import Handle, Provider, ProviderError, ProviderEvent, TurnRequest, TurnResult
from orchestration.providers.pace import PACE
from orchestration.providers.retry import RetryPolicy

from ..base import Host
from .live import LiveText
from .pump import Pump
from .state import Question, is_open
from .watch import CONTROL_EVERY, Watch

SAVE_CURSOR_EVERY = 2.0  # seconds; what came later is streamed again and passed over


@dataclass
class Progress:
    """Where the turn stands: its handle, the cursor, and the log offset that belongs to the cursor."""

    handle: Handle | None = None
    cursor: int = 0
    log_offset: int | None = None
    tries: int = 0  # without progress
    given_up: int = 0  # answers that began and could not be had

    @classmethod
    def stored(cls, handle: Mapping[str, Any] | None, question: Question) -> Progress:
        """What an earlier process stored for this very question; a handle of another one means nothing any more."""
        if not handle or not is_open(handle, question):
            return cls()
        return cls(dict(handle["provider_handle"]), int(handle.get("cursor", 0)), handle.get("log_offset"))


class Turn:
    def __init__(self, provider: Provider, host: Host, watch: Watch, policy: RetryPolicy) -> None:
        self._provider = provider
        self._host = host
        self._watch = watch
        self._policy = policy
        self._saved_at = 0.0

    def ask(
        self,
        question: Callable[[], Question],
        request: Callable[[int], TurnRequest],
        progress: Progress,
        lost: Callable[[], None],
        save: Callable[[Mapping[str, Any]], None],
    ) -> TurnResult:
        """The whole answer. `request(tries)` builds what is sent; `lost` hears of answers given up: the next question
        is another one. `save` makes a new handle durable, and with it what the question was asked with."""
        self._save_asked = save
        while True:
            before = progress.cursor
            try:
                return self._whole(self._once(question(), request, progress))
            except ProviderError as error:
                keeps = self._keeps(progress, error)
                progress.tries = 1 if keeps and progress.cursor > before else progress.tries + 1
                self._decide(question().turn, progress, error, None if keeps else lost)

    def _whole(self, result: TurnResult) -> TurnResult:
        if result.finish == "failed" and result.retryable:
            raise ProviderError("failed", result.error or "The provider failed to answer.", retryable=True)
        return result

    def _keeps(self, progress: Progress, error: ProviderError) -> bool:
        """Whether the same answer can still be had. Only then does what was streamed so far count as progress."""
        over = error.kind in ("not_found", "lost", "failed")
        return progress.handle is not None and not over and self._provider.capabilities().resume

    def _decide(self, number: int, progress: Progress, error: ProviderError, lost: Callable[[], None] | None) -> None:
        """Give up, or wait and let the caller ask again: for the same answer where it can still be had."""
        gone = error.kind in ("not_found", "lost") and progress.handle is not None
        enough = max(progress.tries, progress.given_up + 1) >= self._policy.max_tries
        if progress.handle is not None and lost is not None:
            progress.handle, progress.cursor, progress.given_up = None, 0, progress.given_up + 1
            lost()
        if enough or not (error.retryable or gone):
            raise error
        wait = self._pause(progress, error)
        if wait >= self._watch.left:
            raise error
        told = {"turn": number, "tries": progress.tries, "wait_seconds": round(wait, 1), "reason": error.sentence}
        self._host.emit("agent.retry", {**told, "kind": error.kind})
        self._watch.sleep(wait)

    def _pause(self, progress: Progress, error: ProviderError) -> float:
        """Seconds until it is this agent's turn to ask again; others may wait for the same server."""
        wait = self._policy.wait(progress.tries, error.retry_after, random.random())  # noqa: S311 - jitter
        config = self._provider.config
        place: Hashable = (config.base_url, config.api_key) if config.base_url else self._provider
        return PACE.wait(place, wait, self._policy.base_seconds)

    def _once(self, question: Question, request: Callable[[int], TurnRequest], progress: Progress) -> TurnResult:
        live = LiveText(self._host, progress.log_offset if progress.handle else None)
        if progress.handle is not None:
            self._save(question, progress, live)
        pump = Pump(self._provider, request(progress.tries), progress.handle, progress.cursor)
        pump.begin()
        self._watch.is_behind = False
        try:
            return self._follow(question, pump, progress, live)
        finally:
            pump.stop()
            live.flush()

    def _follow(self, question: Question, pump: Pump, progress: Progress, live: LiveText) -> TurnResult:
        while True:
            item = pump.next(CONTROL_EVERY)
            self._watch.check()
            live.flush_due()
            if self._watch.is_behind and item is None and progress.handle is not None:
                raise ProviderError("cut", "The provider is done, and its stream did not say so.", retryable=True)
            if isinstance(item, TurnResult):
                return item
            if isinstance(item, ProviderError):
                raise item
            if isinstance(item, ProviderEvent):
                self._take(question, item, progress, live)
            elif item is not None:
                progress.handle = item
                self._save_asked(self._stored(question, progress, live))
                pump.go_on()

    def _take(self, question: Question, event: ProviderEvent, progress: Progress, live: LiveText) -> None:
        if event.kind in ("text", "thinking"):
            live.add(event.text)
        elif event.kind == "notice":
            self._host.emit("agent.notice", {"turn": question.turn, "message": event.text})
        progress.cursor = event.cursor or progress.cursor
        progress.log_offset = live.offset
        if self._provider.capabilities().resume and time.monotonic() - self._saved_at > SAVE_CURSOR_EVERY:
            self._save(question, progress, live)

    def _save(self, question: Question, progress: Progress, live: LiveText) -> None:
        self._host.save_handle(self._stored(question, progress, live))

    def _stored(self, question: Question, progress: Progress, live: LiveText) -> dict[str, Any]:
        progress.log_offset = live.offset
        self._saved_at = time.monotonic()
        stored = {"cursor": progress.cursor, "log_offset": progress.log_offset, "provider_handle": progress.handle}
        return {**question.as_data(), "phase": "streaming", **stored}
