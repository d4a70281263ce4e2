"""What went wrong last on each way, in a file: a restart forgets no failure, and the doctor can read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from orchestration.audit_delivery.channel import Channel, folder, key_of

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class Failure:
    message: str
    tries: int  # in a row
    at: datetime

    @property
    def next_try(self) -> datetime:
        return self.at + min(FIRST_PAUSE * (1 << min(self.tries - 1, 10)), LONGEST_PAUSE)


def last(channel: Channel) -> Failure | None:
    """None too where the address is another one by now, or the file can't be read: then it is tried at once."""
    try:
        known = json.loads(_file(channel).read_text())
        failure = Failure(known["message"], known["tries"], datetime.fromisoformat(known["at"]))
        return failure if known["address"] == key_of(channel) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note(channel: Channel, message: str, now: datetime, before: Failure | None) -> None:
    tries = before.tries + 1 if before else 1
    known = {"address": key_of(channel), "message": message, "tries": tries, "at": now.isoformat()}
    draft = _file(channel).with_suffix(".draft")
    draft.write_text(json.dumps(known))
    draft.replace(_file(channel))


def forget(channel: Channel) -> None:
    _file(channel).unlink(missing_ok=True)


def _file(channel: Channel) -> Path:
    return folder() / f"{channel.name}.failure"
