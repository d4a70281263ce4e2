"""One round: whatever waits goes out, each way by itself; a way that failed is tried again later and later."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from orchestration.audit_delivery import failures
from orchestration.audit_delivery.channel import Channel, Undelivered, folder
from orchestration.audit_delivery.failures import Failure
from orchestration.audit_delivery.git_remote import GitRemote
from orchestration.audit_delivery.webhook import Webhook
from orchestration.storable import plain_name
from orchestration.workspace import WorkspaceError
from policy.redaction import redact_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """How one way out stands: how many checkpoints wait, and what went wrong last."""

    name: str
    place: str
    waiting: int
    failure: Failure | None


def deliver(now: datetime | None = None) -> None:
    """Cheap where nothing waits. One process of a data folder at a time; the others leave it to that one."""
    ways = _channels()
    if not ways:
        return
    with _alone() as is_ours:
        for channel in ways if is_ours else ():
            _deliver(channel, now or timezone.now())


def standings() -> list[Standing]:
    return [
        Standing(channel.name, channel.place, len(channel.waiting()), failures.last(channel)) for channel in _channels()
    ]


def _channels() -> list[Channel]:
    every: list[Channel] = [
        Webhook(settings.AUDIT_WEBHOOK, settings.AUDIT_WEBHOOK_TOKEN),
        GitRemote(settings.AUDIT_GIT_REMOTE),
    ]
    return [channel for channel in every if channel.address]


def _deliver(channel: Channel, now: datetime) -> None:
    before = failures.last(channel)
    if not channel.waiting() or (before is not None and now < before.next_try):
        return
    try:
        channel.send()
    except (Undelivered, WorkspaceError, OSError) as error:
        message = redact_text(plain_name(str(error), 500), channel.secrets)
        logger.warning("checkpoints could not be delivered to the %s: %s", channel.name, message)
        failures.note(channel, message, now, before)
    else:
        failures.forget(channel)


@contextmanager
def _alone() -> Iterator[bool]:
    descriptor = os.open(folder() / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield _is_locked(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
