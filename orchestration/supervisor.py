"""The small process under which one command runs, and which outlives the server.

The spawner forks it. It claims the spool, starts the command in its own session, writes the output as
frames, keeps the time limit, ends the whole tree, proves it empty, and leaves exit.json. It is a
subreaper: whatever the command starts, detached or not, is its descendant until it is gone.
Standard library alone; it never sees the database.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from orchestration import processes
from orchestration.command_process import become_command
from orchestration.frames import FRAME_BYTES, STDERR, STDOUT, OutputLog
from orchestration.spool import CommandSpec, Exit, Spool

TICK_SECONDS = 1.0
KILL_SECONDS = 5.0
STRAGGLER_SECONDS = 2.0
PIPE_BYTES = 256 * 1024
DROP_BYTES = 1024 * 1024
F_SETPIPE_SZ = 1031


def supervise(spec: CommandSpec, folder: str) -> None:
    spool = Spool(folder)
    spool.hold()
    me = os.getpid()
    if not spool.claim("run", token=spec.token, pid=me, start_time=processes.start_time(me)):
        return
    Supervision(spec, spool).run()


class Supervision:
    def __init__(self, spec: CommandSpec, spool: Spool) -> None:
        self.spec = spec
        self.spool = spool
        self.reason = ""
        self.detail = ""
        self.pid = 0
        self.status: int | None = None
        self.stragglers = 0
        self.told: set[int] = set()
        self.pipes: dict[int, int] = {}
        self.poll = select.poll()
        self.memory_kills = 0
        self.started_at = time.time()
        self.deadline = time.monotonic() + (spec.timeout_seconds or 10**9)
        self.bell = os.open(spool.bell, os.O_RDWR | os.O_NONBLOCK)
        self.control = os.open(spool.folder / "control", os.O_RDWR | os.O_NONBLOCK)
        self.log = OutputLog(spool.output, spec.max_output_bytes)

    def run(self) -> None:
        try:
            self.listen()
            self.start()
            self.wait_for_end()
        except OSError as error:
            self.stop("storage", str(error.strerror))
        empty = self.end_tree()
        self.drain()
        self.finish(empty)

    # starting

    def listen(self) -> None:
        woken, wakeup = os.pipe()
        for descriptor in (woken, wakeup):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop("terminated"))
        for descriptor in (self.control, woken):
            self.poll.register(descriptor, select.POLLIN)

    def start(self) -> None:
        processes.become_subreaper()
        outputs = {stream: os.pipe() for stream in (STDOUT, STDERR)}
        failed, failing = os.pipe()
        held, holding = os.pipe()
        me = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(holding)
            become_command(self.spec, outputs[STDOUT][1], outputs[STDERR][1], failing, me, held)
        for descriptor in (failing, held):
            os.close(descriptor)
        for stream, (reading, writing) in outputs.items():
            os.close(writing)
            self.read_from(reading, stream)
        self.let_go(holding)
        self.note_failed_start(failed)

    def let_go(self, holding: int) -> None:
        """While the child prepares itself. Nothing is begun before the claim would survive a loss of power, or recovery
        would begin it twice, and before there is room for the last word."""
        try:
            self.memory_kills = processes.out_of_memory_kills()
            self.spool.reserve_exit()
            self.spool.sync()
            with suppress(BrokenPipeError):  # it could not be prepared, and says why
                os.write(holding, b"g")
        finally:
            os.close(holding)

    def read_from(self, descriptor: int, stream: int) -> None:
        os.set_blocking(descriptor, False)
        if processes.LINUX:
            enlarge(descriptor)
        self.pipes[descriptor] = stream
        self.poll.register(descriptor, select.POLLIN)

    def note_failed_start(self, failed: int) -> None:
        with os.fdopen(failed, "rb") as pipe:
            said = pipe.read().decode(errors="replace")
        if said:
            reason, _, detail = said.partition(":")
            self.stop(reason, detail)

    # waiting

    def wait_for_end(self) -> None:
        while self.status is None and not self.reason:
            self.turn(min(TICK_SECONDS, max(0.0, self.deadline - time.monotonic())))
            if self.status is None:
                self.heed_limits()

    def heed_limits(self) -> None:
        asked = self.spool.asked_to_end()
        if asked:
            self.stop(asked)
        if time.monotonic() >= self.deadline:
            self.stop("timeout")

    def stop(self, reason: str, detail: str = "") -> None:
        """The first reason is the one that counts."""
        if not self.reason:
            self.reason, self.detail = reason, detail

    def turn(self, seconds: float) -> bool:
        """Take what came; true while any process is left below us."""
        for descriptor, _ in self.poll.poll(seconds * 1000):
            if descriptor in self.pipes:
                self.take(descriptor)
            else:
                self.listen_to(descriptor)
        return self.reap()

    def listen_to(self, descriptor: int) -> None:
        said = swallow(descriptor)
        if descriptor == self.control and said:
            self.stop(said.decode(errors="replace").split("\n")[0])

    def take(self, descriptor: int) -> bool:
        """Read once; false when nothing more is there."""
        try:
            data = os.read(descriptor, DROP_BYTES if self.log.is_full else FRAME_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self.poll.unregister(descriptor)
            del self.pipes[descriptor]
            os.close(descriptor)
            return False
        self.record(self.pipes[descriptor], data)
        return True

    def record(self, stream: int, data: bytes) -> None:
        try:
            self.log.write(stream, data)
        except OSError as error:
            # A full disk ends the command, not the reading: it must not hang on a full pipe meanwhile.
            self.log.is_full = True
            self.stop("storage", str(error.strerror))
        self.ring(b"o")

    def ring(self, word: bytes) -> None:
        try:
            os.write(self.bell, word)
        except BlockingIOError:
            return  # a bell that nobody answers rings already

    def reap(self) -> bool:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid:
                self.status = status

    # ending

    def end_tree(self) -> bool:
        """TERM, grace, KILL. True is a proof: a subreaper without children has no descendants."""
        if not self.reap():
            return self.group_is_gone()
        if self.repeat(self.ask, self.grace()) or self.repeat(self.kill, KILL_SECONDS):
            return self.group_is_gone()
        return False

    def grace(self) -> float:
        """Leftovers of a finished command get less of it; those of a sandbox fall with its first process."""
        if self.status is None:
            return self.spec.grace_seconds
        if self.spec.sandboxed:
            return 0.0
        self.stragglers = len(processes.descendants(os.getpid()))
        return min(STRAGGLER_SECONDS, self.spec.grace_seconds)

    def repeat(self, action: Callable[[], None], seconds: float) -> bool:
        now = due = time.monotonic()
        until = now + seconds
        while now < until:
            if now >= due:
                action()
                due = now + 0.02
            if not self.turn(0.02):
                return True
            now = time.monotonic()
        return False

    def ask(self) -> None:
        for pid in self.within_reach():
            if pid not in self.told:
                self.told.add(pid)
                processes.send(pid, signal.SIGTERM)
                processes.send(pid, signal.SIGCONT)

    def within_reach(self) -> list[int]:
        """Not the sandbox itself: it would fall at the first word and take the command's grace with it."""
        found = processes.descendants(os.getpid())
        if not self.spec.sandboxed:
            return found
        wrapping = {self.pid, *processes.children(self.pid)}
        return [pid for pid in found if pid not in wrapping]

    def kill(self) -> None:
        me = os.getpid()
        processes.freeze_and_kill(processes.descendants(me), again=me)

    def group_is_gone(self) -> bool:
        """Where nothing makes orphans ours, the process group is all that can be asked."""
        if processes.LINUX or not self.pid:
            return True
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return True
        return False

    def drain(self) -> None:
        """Whoever could write is gone, so what the pipes hold is all there is; a stranger isn't waited for."""
        until = time.monotonic() + 1.0
        waiting = list(self.pipes)
        while waiting and time.monotonic() < until:
            waiting = [descriptor for descriptor in waiting if self.take(descriptor)]

    def finish(self, empty: bool) -> None:
        try:
            self.log.close(self.stragglers)
        except OSError as error:
            self.stop("storage", str(error.strerror))
        self.spool.write_exit(self.end(empty), tell=lambda: self.ring(b"x"))
        with suppress(FileNotFoundError):  # whoever was told may have thrown the folder away
            self.spool.sync()

    def end(self, empty: bool) -> Exit:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        return Exit(
            token=self.spec.token,
            reason=self.reason or self.silent_reason(code),
            detail=self.detail[:1000],
            exit_code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            started_at=self.started_at,
            finished_at=time.time(),
            output_bytes=self.log.size,
            dropped_bytes=self.log.dropped,
            stragglers=self.stragglers,
            group_empty=empty,
            cpu_seconds=round(used.ru_utime + used.ru_stime, 3),
            max_rss_bytes=used.ru_maxrss * (1024 if processes.LINUX else 1),
        )

    def silent_reason(self, code: int | None) -> str:
        """The kernel's killing for want of memory is told by its counter alone."""
        killed = code in (-signal.SIGKILL, 128 + signal.SIGKILL)
        return "memory" if killed and processes.out_of_memory_kills() > self.memory_kills else ""


def enlarge(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return  # a larger pipe is only faster


def swallow(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""
