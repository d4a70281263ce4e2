"""Output of a step: more lines, a search through all of it, and all of it as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from orchestration.engine.errors import NotFound
from orchestration.models import ExecutionRun, LogChunk
from orchestration.reading import lines
from workbench.run_page import log
from workbench.run_page.view import Data, RunView, choices, number_in
from workbench.views.asking import is_fragment, page, show
from workbench.views.runs import view_of, whole_page

PORTION = 1000


@page()
def log_lines(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponseBase:
    """A portion: after a line, or before one."""
    view = view_of(request, slug, number)
    row, attempt = _attempt(view, key)
    asked = request.GET.dict()
    limit = min(number_in(asked, "limit") or PORTION, lines.AT_ONCE)
    before, after = number_in(asked, "before"), number_in(asked, "after") or 0
    first = max(1, before - limit) if before else after + 1
    last = before - 1 if before else after + limit
    block = log.block_of(lines.extent(attempt), first, last)
    page_url = view.step_url(row["key"], panel="log", attempt=attempt.number)
    return show(request, "workbench/_log_lines.html", {"block": block, "page_url": page_url})


@page()
def log_search(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponseBase:
    view = view_of(request, slug, number)
    row, attempt = _attempt(view, key)
    if not is_fragment(request):
        asked = choices({**request.GET.dict(), "step": key, "panel": "log"})
        return whole_page(request, _with(view, asked))
    query = view.asked.get("q", "")
    hits = log.search(view, row, lines.extent(attempt), query) if query else None
    return show(request, "workbench/_log_hits.html", {"hits": hits})


@page()
def log_raw(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponseBase:
    """As it was stored, redacted; saved, never shown by the browser."""
    view = view_of(request, slug, number)
    _, attempt = _attempt(view, key)
    body = _chunks_async(attempt) if isinstance(request, ASGIRequest) else _chunks(attempt)
    name = f"{view.run.project.slug}-{view.run.number}-{key}-{attempt.number}.log"
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return StreamingHttpResponse(body, headers=headers)


def _attempt(view: RunView, key: str) -> tuple[Data, ExecutionRun]:
    row = view.by_key.get(key)
    attempt = log.chosen_attempt(log.attempts_of(row), view.asked) if row else None
    if row is None or attempt is None:
        raise NotFound("This step has no such attempt.")
    return row, attempt


def _with(view: RunView, asked: dict[str, str]) -> RunView:
    assert view.actor is not None  # noqa: S101
    assert view.role is not None  # noqa: S101
    return view.seen_by(view.actor, view.role, asked)


def _chunks(attempt: ExecutionRun) -> Iterator[str]:
    found = LogChunk.objects.filter(attempt=attempt).order_by("offset").values_list("text", flat=True)
    yield from found.iterator(chunk_size=50)


async def _chunks_async(attempt: ExecutionRun) -> AsyncIterator[str]:
    """A plain iterator would be read to its end before the first byte is sent."""
    offset = 0
    while True:
        portion = await sync_to_async(_portion, thread_sensitive=True)(attempt, offset)
        if not portion:
            return
        for start, text in portion:
            offset = start + 1
            yield text


def _portion(attempt: ExecutionRun, offset: int) -> list[tuple[int, str]]:
    found = LogChunk.objects.filter(attempt=attempt, offset__gte=offset).order_by("offset")
    return list(found.values_list("offset", "text")[:50])
