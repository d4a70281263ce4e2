"""An attempt's output as rows: batches of text whose offsets tile, written only by the attempt's owner, read since.

What a secret may stand in is held back until the rest has come. After a restart the raw output is read again from
the last place where nothing was held back, and what was stored since is dropped from it by count.
"""

from __future__ import annotations

import codecs
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestration.engine import rows
from orchestration.engine.door import database_now
from orchestration.engine.errors import LostAttempt
from orchestration.engine.locks import write_transaction
from orchestration.models import ExecutionRun, LogChunk

CHUNK_BYTES = 65_536
ANSWER_BYTES = 2 * 1024 * 1024
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Redactor(Protocol):
    @property
    def pending(self) -> int: ...
    def feed(self, data: bytes) -> bytes: ...
    def flush(self) -> bytes: ...


@dataclass
class _Stream:
    redactor: Redactor
    decoder: codecs.IncrementalDecoder
    emitted: int = 0  # characters since the safe offset
    to_drop: int = 0  # of those, what was stored before a restart

    def take(self, data: bytes, *, last: bool = False) -> str:
        clean = self.redactor.feed(data) + (self.redactor.flush() if last else b"")
        text = self.decoder.decode(clean, final=last).replace("\0", "␀")
        self.emitted += len(text)
        dropped = min(self.to_drop, len(text))
        self.to_drop -= dropped
        return text[dropped:]

    @property
    def is_clean(self) -> bool:
        return self.redactor.pending == 0 and not self.decoder.getstate()[0]


@dataclass
class LogWriter:
    """Writes one attempt's output. Raises LostAttempt as soon as the attempt is another worker's."""

    attempt_id: uuid.UUID
    owner: str
    make_redactor: Any
    size: int = 0
    lines: int = 0
    state: Mapping[str, Any] = field(default_factory=dict)
    _streams: dict[str, _Stream] = field(default_factory=dict)
    _staged: list[dict[str, Any]] = field(default_factory=list)

    @property
    def has_news(self) -> bool:
        return bool(self._staged)

    @property
    def safe_offset(self) -> int:
        return int(self.state.get("safe_offset", 0))

    def write(self, stream: str, data: bytes, spool_offset: int) -> int:
        """Store a piece of raw output; answers how many characters became visible."""
        visible = self.stage(stream, data, spool_offset)
        self.flush()
        return visible

    def stage(self, stream: str, data: bytes, spool_offset: int) -> int:
        """Take a piece of raw output that is stored with the next flush."""
        source = self._stream(stream)
        text = source.take(data)
        self._remember(spool_offset)
        self._stage(stream, text)
        return len(text)

    def finish(self) -> None:
        """Let out what was held back: nothing more will come."""
        for name, stream in self._streams.items():
            self._stage(name, stream.take(b"", last=True))
        self.flush()

    def note(self, text: str) -> None:
        """A line of the product itself in the log, marked as such."""
        self._stage("note", text.rstrip("\n") + "\n")
        self.flush()

    def flush(self) -> None:
        if not self._staged:
            return
        with write_transaction():
            self.put(database_now())
        self.settled()

    def put(self, now: Any) -> None:
        """Write what is staged, within a transaction of the caller, who says `settled` once that is committed."""
        changes = {"log_size": self.size, "log_lines": self.lines, "log_state": self.state}
        if rows.update(ExecutionRun, changes, id=self.attempt_id, owner=self.owner, finished_at=None) != 1:
            raise LostAttempt("This attempt belongs to another worker by now, or is over.")
        rows.insert(LogChunk, [{**chunk, "at": now} for chunk in self._staged])

    def settled(self) -> None:
        self._staged.clear()

    def _stream(self, name: str) -> _Stream:
        if name not in self._streams:
            stored = self.state.get("emitted", {}).get(name, 0)
            decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
            self._streams[name] = _Stream(self.make_redactor(), decoder, to_drop=stored)
        return self._streams[name]

    def _remember(self, spool_offset: int) -> None:
        if all(stream.is_clean and not stream.to_drop for stream in self._streams.values()):
            self.state = {"safe_offset": spool_offset, "emitted": {}}
            for stream in self._streams.values():
                stream.emitted = 0
        else:
            emitted = {name: max(s.emitted, s.emitted + s.to_drop) for name, s in self._streams.items()}
            self.state = {"safe_offset": self.safe_offset, "emitted": {**self.state.get("emitted", {}), **emitted}}

    def _stage(self, stream: str, text: str) -> None:
        if text:
            self._staged += [self._chunk(stream, part) for part in _parts(text)]

    def _chunk(self, stream: str, text: str) -> dict[str, Any]:
        chunk: dict[str, Any] = {
            "attempt_id": self.attempt_id,
            "offset": self.size,
            "size": len(text.encode()),
            "first_line": self.lines,
            "stream": stream,
            "text": text,
        }
        self.size += chunk["size"]
        self.lines += text.count("\n")
        return chunk


def read(
    attempts: Sequence[uuid.UUID], *, after: int = 0, stream: str = "", limit: int = 200
) -> list[Mapping[str, Any]]:
    """Chunks of these attempts with a row id above `after`, oldest first, as mappings of their columns. No more than
    fits one answer: whoever wants more goes on from the last one."""
    found = LogChunk.objects.filter(attempt_id__in=list(attempts), id__gt=after)
    if stream:
        found = found.filter(stream=stream)
    columns = ("id", "attempt_id", "attempt__number", "offset", "size", "first_line", "stream", "text", "at")
    return _fitting(found.order_by("id").values(*columns)[:limit].iterator(chunk_size=20))


def _fitting(chunks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    taken: list[Mapping[str, Any]] = []
    size = 0
    for chunk in chunks:
        taken.append(chunk)
        size += chunk["size"]
        if size >= ANSWER_BYTES:
            break
    return taken


def tail(attempt_id: uuid.UUID, *, chunks: int = 20) -> list[LogChunk]:
    """The last chunks of an attempt, in order."""
    return list(LogChunk.objects.filter(attempt_id=attempt_id).order_by("-offset")[:chunks])[::-1]


def search(attempt_id: uuid.UUID, needle: str, *, limit: int = 500) -> list[tuple[int, str]]:
    """Lines with the text in them, as (number from 1, line). Case and colours are left aside. Reads chunk by chunk."""
    hits: list[tuple[int, str]] = []
    rest, line, wanted = "", 1, needle.lower()
    for text in (
        LogChunk.objects.filter(attempt_id=attempt_id).order_by("offset").values_list("text", flat=True).iterator()
    ):
        *whole, rest = COLOURS.sub("", rest + text).split("\n")
        hits += [(line + n, found) for n, found in enumerate(whole) if wanted in found.lower()]
        line += len(whole)
        if len(hits) >= limit:
            return hits[:limit]
    return [*hits, *([(line, rest)] if wanted in rest.lower() and rest else [])]


def _parts(text: str) -> list[str]:
    """At most 64 KiB each; a character has at most four bytes."""
    step = CHUNK_BYTES // 4 if len(text.encode()) > CHUNK_BYTES else CHUNK_BYTES
    return [text[start : start + step] for start in range(0, len(text), step)]
