"""The log of an attempt: a window of numbered lines, where it goes on, and what a search finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration import logs
from orchestration.models import ExecutionRun
from orchestration.reading import lines
from orchestration.reading.lines import Extent
from workbench.run_page.view import RunView, number_in

Data = dict[str, Any]
FIRST_LOOK = 500
AROUND = 250
HITS_SHOWN = 200
HITS_COUNTED = 100_000
BESIDE = 160


def attempts_of(row: Data) -> list[ExecutionRun]:
    """Newest first; what was given back had not begun and has nothing to show."""
    return list(ExecutionRun.objects.filter(step_run=row["id"]).exclude(outcome="returned").order_by("-number"))


def chosen_attempt(attempts: list[ExecutionRun], asked: Mapping[str, str]) -> ExecutionRun | None:
    wanted = number_in(asked, "attempt")
    found = next((attempt for attempt in attempts if attempt.number == wanted), None)
    return found or (attempts[0] if attempts else None)


def log(view: RunView, row: Data) -> Data:
    """For `_log.html`: open at the end, or around the line in the address."""
    attempts = attempts_of(row)
    attempt = chosen_attempt(attempts, view.asked)
    found = lines.extent(attempt) if attempt else None
    line, query = number_in(view.asked, "line"), view.asked.get("q", "")
    total = found.total if found else 0
    chosen = line if line and line <= total else None
    first = max(1, (chosen - AROUND) if chosen else total - FIRST_LOOK + 1)
    last = chosen + AROUND if chosen else total
    block = block_of(found, first, last) if found else None
    number = attempt.number if attempt else None
    return {
        "step_key": row["key"],
        "attempt": number,
        "attempts": [_choice(view, row, one, attempt) for one in attempts],
        "lines_url": _part(view, "log-lines", row, number),
        "search_url": _part(view, "log-search", row, number),
        "raw_url": _part(view, "log-raw", row, number),
        "page_url": view.step_url(row["key"], panel="log", attempt=number or ""),
        "first": block["first"] if block else 0,
        "last": block["last"] if block else 0,
        "total": total,
        "open": found.open if found else row["state"] not in ("succeeded", "failed", "skipped", "canceled"),
        "chosen": chosen,
        "query": query,
        "hits": search(view, row, found, query) if found and query else None,
        "blocks": [block] if block and block["lines"] else [],
    }


def block_of(found: Extent, first: int, last: int) -> Data:
    """For `_log_lines.html`."""
    shown = lines.window(found, first, last)
    return {
        "first": shown[0].number if shown else first,
        "last": shown[-1].number if shown else first - 1,
        "total": found.total,
        "open": found.open,
        "lines": shown,
    }


def search(view: RunView, row: Data, found: Extent, query: str) -> Data:
    """For `_log_hits.html`; the server looks through all of it, not only what is on the screen."""
    hits = logs.search(found.attempt_id, query, limit=HITS_COUNTED)
    address = view.step_url(row["key"], panel="log", attempt=found.number)
    shown = [{"number": n, "url": f"{address}&line={n}#L{n}", **_parts(text, query)} for n, text in hits[:HITS_SHOWN]]
    return {"query": query, "total": len(hits), "shown": shown, "cut": len(hits) > HITS_SHOWN}


def _parts(text: str, query: str) -> Data:
    """The hit with a little around it."""
    at = max(0, text.lower().find(query.lower()))
    end = at + len(query)
    before = text[max(0, at - BESIDE) : at]
    return {
        "before": f"…{before}" if at > BESIDE else before,
        "match": text[at:end],
        "after": text[end : end + BESIDE],
    }


def _choice(view: RunView, row: Data, one: ExecutionRun, chosen: ExecutionRun | None) -> Data:
    return {
        "number": one.number,
        "url": view.address(step=row["key"], panel="log", attempt=one.number, line=None, q=None),
        "selected": one == chosen,
        "outcome": one.outcome,
    }


def _part(view: RunView, name: str, row: Data, number: int | None) -> str:
    return view.part(name, row["key"], **({"attempt": number} if number else {}))
