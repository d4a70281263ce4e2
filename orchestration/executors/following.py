"""Follows one supervised command to its end: output to the host, cancel to the supervisor.

It can start at any offset, in any process on the supervisor's host, any number of times.
"""

from __future__ import annotations

import os
import select
import time
import uuid
from collections.abc import Mapping
from typing import Any

from orchestration import processes
from orchestration.executors.base import Host, LeaseLost
from orchestration.frames import FRAME_BYTES
from orchestration.spawner import host_name
from orchestration.spool import Exit, Spool

BATCH_SECONDS = 0.1
ASK_SECONDS = 0.05
# Beyond its own grace and killing, how long a supervisor may take before it is itself ended.
PATIENCE_SECONDS = 15.0


class Follower:
    def __init__(self, spool: Spool, token: int, host: Host, *, grace_seconds: float, base_offset: int = 0) -> None:
        self.spool = spool
        self.token = token
        self.host = host
        self.patience = grace_seconds + PATIENCE_SECONDS
        self.base = base_offset
        self.read_to = max(0, host.log_offset() - base_offset)
        self.batch = Batch(host, base_offset)
        self.name = uuid.uuid4().hex
        self.asked_at: float | None = None

    def follow(self, supervisor: Mapping[str, Any]) -> Exit | None:
        """The end of the command, or None when its supervisor went without leaving one."""
        self.spool.take_lead(self.name)
        bell = os.open(self.spool.bell, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return self._follow(supervisor, bell)
        except LeaseLost:
            self._let_go()
            raise
        finally:
            os.close(bell)

    def _follow(self, supervisor: Mapping[str, Any], bell: int) -> Exit | None:
        poll = select.poll()
        poll.register(bell, select.POLLIN)
        while True:
            # Looked at before the output is read: all output is written before the end is.
            lives = self.is_alive(supervisor)
            end = self.spool.read_exit(self.token)
            more = self._read()
            if (end or not lives) and not more:
                self.batch.flush()
                return end
            self._obey(supervisor)
            if not more:
                self._wait(poll, bell)

    def is_alive(self, supervisor: Mapping[str, Any]) -> bool:
        """By its lock; in the moment before it holds one, by its number and start."""
        pid = int(supervisor.get("pid") or 0)
        return self.spool.is_held() or processes.is_same(pid, str(supervisor.get("start_time", "")))

    def _read(self) -> bool:
        """One gulp; true when there may be another."""
        frames = list(self.spool.frames(self.read_to))
        for frame in frames:
            self.batch.add(frame.stream, frame.data, frame.end)
        self.read_to = frames[-1].end if frames else self.read_to
        if self.batch.is_due():
            self.batch.flush()
        return bool(frames)

    def _obey(self, supervisor: Mapping[str, Any]) -> None:
        if self.host.control() != "cancel":
            return
        if self.asked_at is None:
            self.asked_at = time.monotonic()
            self.spool.ask_to_end("canceled")
        if time.monotonic() - self.asked_at > self.patience:
            end_by_force(self.spool, supervisor)

    def _wait(self, poll: select.poll, bell: int) -> None:
        """Until something is to be done: the end at once, output when a batch is due, else the next question."""
        until = time.monotonic() + ASK_SECONDS
        while (left := until - time.monotonic()) > 0:
            ready = poll.poll(left * 1000)
            if not ready:
                return
            if not ready[0][1] & select.POLLIN:
                time.sleep(0.002)  # hung up: the supervisor has gone, its last words are on the disk
                return
            if b"x" in os.read(bell, 65536) or self.batch.is_idle():
                return

    def _let_go(self) -> None:
        """Whoever took the attempt over leads now; if nobody did, it must not go on unwatched."""
        if self.spool.is_led_by(self.name):
            self.spool.ask_to_end("lease_lost")


class Batch:
    """At most every 100 ms or 64 KiB, in order, each piece of one stream."""

    def __init__(self, host: Host, base: int) -> None:
        self.host = host
        self.base = base
        self.stream = ""
        self.data = bytearray()
        self.end = 0
        self.flushed_at = 0.0

    def add(self, stream: str, data: bytes, end: int) -> None:
        if self.data and (stream != self.stream or len(self.data) + len(data) > FRAME_BYTES):
            self.flush()
        self.stream = stream
        self.data += data
        self.end = end

    def flush(self) -> None:
        if self.data:
            self.host.log(self.stream, bytes(self.data), self.base + self.end)
            self.data.clear()
            self.flushed_at = time.monotonic()

    def is_due(self) -> bool:
        return time.monotonic() - self.flushed_at >= BATCH_SECONDS

    def is_idle(self) -> bool:
        """Nothing was given out lately, so that the next word may go at once."""
        return not self.data and self.is_due()


def end_by_force(spool: Spool, supervisor: Mapping[str, Any]) -> bool:
    """End a supervisor that doesn't answer, and whatever still carries the mark of its command."""
    pid = int(supervisor.get("pid") or 0)
    if supervisor.get("host", host_name()) == host_name() and processes.is_same(pid, str(supervisor.get("start_time"))):
        processes.freeze_and_kill(processes.descendants(pid))
        processes.freeze_and_kill([pid])
    return processes.end_tagged(f"CCDASH_OUTPUT={spool.outputs_file}\0")
