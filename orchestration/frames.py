"""The output of a command as a file of frames: which stream, when, how long, the bytes.

The supervisor appends, followers read from the end of any frame. Standard library alone.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SYSTEM, STDOUT, STDERR = 0, 1, 2
STREAMS = {SYSTEM: "system", STDOUT: "stdout", STDERR: "stderr"}
HEADER = struct.Struct(">BdI")
FRAME_BYTES = 64 * 1024


class Frame(NamedTuple):
    stream: str
    at: float
    data: bytes
    end: int


class OutputLog:
    """Frames in a file, up to a limit of bytes; what is beyond is counted and dropped."""

    def __init__(self, path: Path, limit: int) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.limit = limit
        self.size = 0
        self.recorded = 0
        self.dropped = 0
        self.is_full = False

    def write(self, stream: int, data: bytes) -> None:
        kept = b"" if self.is_full else data[: self.room()]
        if kept:
            self.recorded += len(kept)
            self.frame(stream, kept)
        self.dropped += len(data) - len(kept)
        if len(kept) < len(data) and not self.is_full:
            self.is_full = True
            self.frame(SYSTEM, f"\n[cut: the limit of {self.limit} bytes of output is reached]\n".encode())

    def room(self) -> int:
        """A command that writes byte by byte must not fill the disk with headers either."""
        return max(0, min(self.limit - self.recorded, 2 * self.limit + FRAME_BYTES - self.size))

    def frame(self, stream: int, data: bytes) -> None:
        """Whole or not at all, so that the file can be read whatever happens."""
        whole = HEADER.pack(stream, time.time(), len(data)) + data
        try:
            write_all(self.file, whole)
        except OSError:
            os.ftruncate(self.file, self.size)
            raise
        self.size += len(whole)

    def close(self, stragglers: int) -> None:
        if self.dropped:
            self.frame(SYSTEM, f"[cut: {self.dropped} bytes of output were dropped]\n".encode())
        if stragglers:
            self.frame(SYSTEM, f"[{stragglers} processes that the command left behind were ended]\n".encode())
        if self.size:
            os.fsync(self.file)


def parse(data: bytes, offset: int) -> Iterator[Frame]:
    position = 0
    while position + HEADER.size <= len(data):
        stream, at, size = HEADER.unpack_from(data, position)
        end = position + HEADER.size + size
        if end > len(data):
            return
        yield Frame(STREAMS.get(stream, "system"), at, data[position + HEADER.size : end], offset + end)
        position = end


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
