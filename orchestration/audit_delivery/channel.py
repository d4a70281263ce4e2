"""What each way out promises, and the folder where all of them keep what they know."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from django.conf import settings

FOLDER = "audit-delivery"


class Undelivered(Exception):
    """The other end did not take it. The text is a sentence; it may repeat what the other end said."""


class Channel(Protocol):
    name: ClassVar[str]

    @property
    def address(self) -> str:
        """As it was set. It may hold a credential, so it is never shown."""

    @property
    def place(self) -> str:
        """Where it leads, as people may read it."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """What no message may repeat."""

    def waiting(self) -> list[Path]:
        """Checkpoints that have not arrived yet, the oldest first. Asks nobody outside."""

    def send(self) -> None:
        """Bring what waits, some of it or all. Raises Undelivered; what arrived before counts."""


def folder() -> Path:
    made = Path(settings.DATA_DIR) / FOLDER
    made.mkdir(mode=0o700, exist_ok=True)
    return made


def own_folder(channel: Channel) -> Path:
    """Of this address alone: another one has received nothing yet."""
    return folder() / f"{channel.name}-{key_of(channel)}"


def key_of(channel: Channel) -> str:
    return hashlib.sha256(channel.address.encode()).hexdigest()[:16]
