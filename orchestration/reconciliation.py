"""Asks providers how their open answers stand, and lets the engine write what they say.

One thread for each project and provider at a time, that does nothing but ask: an outage holds up nobody else, and who
can't be asked is left alone for longer and longer. The database is read and written by whoever calls, never meanwhile.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import DatabaseError

from orchestration import provider_settings
from orchestration.engine import reconciling
from orchestration.engine.errors import EngineError
from orchestration.engine.reconciling import Owed
from orchestration.providers import looking
from orchestration.providers.base import ProviderError
from orchestration.providers.config import ProviderConfig
from policy.actors import Actor
from policy.errors import PolicyError
from policy.models import Project

logger = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 900.0
AT_ONCE = 20  # answers of one place that are asked about in a row
WAIT_SECONDS = 15.0  # how long somebody who asks for it is kept waiting
Place = tuple[int, str]  # project, provider


@dataclass(frozen=True)
class Seen:
    owed: Owed
    look: looking.Look | None = None
    error: str = ""
    retry_after: float | None = None


@dataclass
class Standing:
    """How one provider of one project has answered lately."""

    is_busy: bool = False
    failures: int = 0
    not_before: float = 0.0

    def heard(self, failure: ProviderError | None) -> None:
        self.failures = self.failures + 1 if failure else 0
        pause = min(FIRST_PAUSE * 2 ** min(self.failures - 1, 10), LONGEST_PAUSE) if failure else 0.0
        wished = min((failure.retry_after if failure else None) or 0.0, LONGEST_PAUSE)
        self.not_before = time.monotonic() + max(pause, wished)


@dataclass
class Reconciliation:
    """The one of a worker process; `step` is called again and again and never waits for a provider."""

    places: dict[Place, Standing] = field(default_factory=dict)
    _heard: queue.SimpleQueue[Seen | Place] = field(default_factory=queue.SimpleQueue)

    def step(self) -> None:
        self._take_in()
        for place, owed in _by_place(reconciling.due()).items():
            standing = self.places.setdefault(place, Standing())
            if not standing.is_busy and time.monotonic() >= standing.not_before:
                standing.is_busy = True
                _spawn(place, owed, self._heard, standing)

    def _take_in(self) -> None:
        while not self._heard.empty():
            found = self._heard.get()
            if isinstance(found, Seen):
                _write(found)
            else:
                self.places[found].is_busy = False


def look_at(owed: Iterable[Owed], *, wait: float = WAIT_SECONDS) -> list[tuple[Owed, str]]:
    """Ask about these now, because somebody wants to know; who does not answer in time is told of later.

    Call outside transactions. Answers each with its attempt's status.
    """
    heard: queue.SimpleQueue[Seen | Place] = queue.SimpleQueue()
    working = {place for place, asked in _by_place(owed).items() if _spawn(place, asked, heard, Standing())}
    until, told = time.monotonic() + wait, []
    while working and (left := until - time.monotonic()) > 0:
        try:
            found = heard.get(timeout=left)
        except queue.Empty:
            break
        if isinstance(found, Seen):
            told.append((found.owed, _write(found)))
        else:
            working.discard(found)
    return told


def look_at_run(run_id: uuid.UUID, *, by: Actor) -> list[str]:
    """For somebody who wants to know. Answers how each attempt stands that could be asked about in time."""
    return [status for _, status in look_at(reconciling.asked_by(run_id, by))]


def _by_place(owed: Iterable[Owed]) -> Mapping[Place, list[Owed]]:
    places: dict[Place, list[Owed]] = {}
    for one in owed:
        places.setdefault((one.project_id, one.provider), []).append(one)
    return {place: asked[:AT_ONCE] for place, asked in places.items()}


def _spawn(place: Place, owed: list[Owed], heard: queue.SimpleQueue[Seen | Place], standing: Standing) -> bool:
    """What the thread needs of the database is read here; it must never wait for a lock, nor anybody for it."""
    try:
        config: ProviderConfig | str = provider_settings.config_of(Project.objects.get(pk=place[0]), place[1])
    except PolicyError as error:
        config = str(error)

    def ask() -> None:
        try:
            standing.heard(_ask_all(config, owed, heard))
        finally:
            heard.put(place)

    threading.Thread(target=ask, name=f"reconcile-{place[1]}-{place[0]}", daemon=True).start()
    return True


def _ask_all(
    config: ProviderConfig | str, owed: list[Owed], heard: queue.SimpleQueue[Seen | Place]
) -> ProviderError | None:
    """One after the other; the first that can't be had ends it, for the others would fare no better."""
    for one in owed:
        try:
            heard.put(Seen(one, _ask(config, one)))
        except ProviderError as error:
            heard.put(Seen(one, error=error.sentence))
            return error
    return None


def _ask(config: ProviderConfig | str, owed: Owed) -> looking.Look:
    try:
        if isinstance(config, str):
            raise ProviderError("config", config)
        provider_settings.check_address(config)
        return looking.look(config, owed.handle, stop=not owed.is_wanted, collect=not owed.is_driven)
    except PolicyError as error:
        raise ProviderError("config", str(error)) from None
    except ProviderError:
        raise
    except Exception as error:  # noqa: BLE001 - a hostile answer must not end the thread without a word
        raise ProviderError("garbage", f"The provider's answer was not understood ({type(error).__name__}).") from None


def _write(seen: Seen) -> str:
    try:
        hidden = provider_settings.keys_of(Project.objects.get(pk=seen.owed.project_id))
        return reconciling.write(seen.owed, seen.look, seen.error, hidden)
    except (EngineError, DatabaseError):
        logger.warning("how attempt %s stands could not be written", seen.owed.attempt_id, exc_info=True)
        return "error"
