"""A thousand open run pages on one web process: how late they learn what happened, and what each costs to hold."""

from __future__ import annotations

import asyncio
import re
import resource
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from orchestration.models import WorkflowRun
from policy.models import Membership
from tests.benchmarks import ground, starts
from tests.benchmarks.figures import Figure, percentile

PAGES, PEOPLE, AT_ONCE = 1000, 50, 25
STEPS, LINE = 50, "sleep 0.25"  # each step leaves three events, so about ten in a second
SETTLING_SECONDS = 3.0
EVENT = re.compile(rb'id="event-(\d+)"')
CONFIRMED = b'{"read": true}'


def open_pages() -> Iterator[Figure]:
    _allow_files(4 * PAGES)
    with starts.serving(Path(settings.DATA_DIR)) as (_, process):
        address = f"127.0.0.1:{process.port}"
        run, cookies = _run(), _cookies()
        pages = [Page(address, str(run.pk), cookies[number % PEOPLE]) for number in range(PAGES)]
        before = starts.memory(process.pid)
        asyncio.run(_watch(pages, run, lambda: starts.memory(process.pid)))
    waits = _waits(run, pages)
    held = (pages[0].memory - before) * 1024 / PAGES
    yield Figure("pages_open", percentile(waits, 95) * 1000, {"p50": percentile(waits, 50) * 1000})
    yield Figure("page_memory", held)


class Page:
    """The least of a browser: it shakes hands, reads frames, confirms what it read, and notes when it learned what."""

    memory = 0.0

    def __init__(self, address: str, run_id: str, cookie: str) -> None:
        self.address, self.run_id, self.cookie = address, run_id, cookie
        self.seen: list[tuple[int, float]] = []

    async def open(self) -> None:
        parts = urlsplit(f"//{self.address}")
        self.reader, self.writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**20)
        lines = [
            f"GET /ws/workflow-runs/{self.run_id}/?after=0 HTTP/1.1",
            f"Host: {self.address}",
            f"Origin: http://{self.address}",
            f"Cookie: {self.cookie}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = await self.reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise RuntimeError(f"The socket was refused: {answer[:200]!r}")

    async def follow(self) -> None:
        """Until the server closes, as it does after the run's last event."""
        while (frame := await self._frame())[0] != 8:
            kind, data = frame
            if kind == 9:
                self._say(10, data)
            elif kind == 1:
                self._note(data)
                self._say(1, CONFIRMED)
        self.writer.close()

    def _note(self, data: bytes) -> None:
        numbers = [int(number) for number in EVENT.findall(data)]
        if numbers:
            self.seen.append((max(numbers), time.time()))

    async def _frame(self) -> tuple[int, bytes]:
        first, size = await self.reader.readexactly(2)
        if size == 126:
            (size,) = struct.unpack(">H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(size)

    def _say(self, kind: int, data: bytes) -> None:
        """Masked by zeros, which masks nothing and is allowed."""
        self.writer.write(bytes([0x80 | kind, 0x80 | len(data), 0, 0, 0, 0]) + data)


async def _watch(pages: list[Page], run: WorkflowRun, memory: object) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def open_one(page: Page) -> None:
        async with gate:
            await page.open()

    await asyncio.gather(*(open_one(page) for page in pages))
    following = [asyncio.create_task(page.follow()) for page in pages]
    await asyncio.sleep(SETTLING_SECONDS)
    pages[0].memory = await asyncio.to_thread(memory)  # type: ignore[arg-type]
    await asyncio.to_thread(_release, run)
    async with asyncio.timeout(300):
        await asyncio.gather(*following)


def _run() -> WorkflowRun:
    """Its first step waits for somebody to say go, until all pages are open."""
    project = ground.project_in_folder()
    for number in range(PEOPLE):
        user, _ = User.objects.get_or_create(username=f"looker-{number}")
        Membership.objects.create(project=project, user=user, role="viewer")
    go = f"until [ -e {project.path}/go ]; do sleep 0.1; done"
    steps = [ground.command("wait", line=go)]
    steps += [ground.command(f"s{n}", f"s{n - 1}" if n else "wait", line=LINE) for n in range(STEPS)]
    return ground.launch(ground.workflow_of(project, steps))


def _release(run: WorkflowRun) -> None:
    Path(run.project.path, "go").touch()


def _cookies() -> list[str]:
    cookies = []
    for number in range(PEOPLE):
        client = Client()
        client.force_login(User.objects.get(username=f"looker-{number}"))
        name = settings.SESSION_COOKIE_NAME
        cookies.append(f"{name}={client.cookies[name].value}")
    return cookies


def _waits(run: WorkflowRun, pages: list[Page]) -> list[float]:
    """From the moment an event tells, which is a little before its commit, to each page's first sight of it."""
    events = list(run.events.order_by("sequence_no").values_list("sequence_no", "at"))
    begun = next(number for number, _ in events if number > min(page.seen[0][0] for page in pages))
    waits = []
    for page in pages:
        seen = iter([*page.seen, (10**9, float("inf"))])
        number, at = next(seen)
        for sequence_no, moment in events:
            while number < sequence_no:
                number, at = next(seen)
            if sequence_no >= begun + 3:
                waits.append(at - moment.timestamp())
    ground.require(run, "succeeded")
    return waits


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
