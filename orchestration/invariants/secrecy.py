"""No text that is stored holds a secret of its project: 26.

Texts are searched by the redactor itself, many at once: one that would still be changed is a breach. Only projects
with secrets cost anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db.models import TextField
from django.db.models.functions import Cast

from orchestration.invariants.breach import Breach
from orchestration.models import Event, ExecutionRun, LogChunk, StepRun, WorkflowRun
from policy import secrets
from policy.models import Project, Secret
from policy.redaction import redact_text

AT_ONCE = 256 * 1024
OVERLAP = 8192  # of a log: a value may lie across two chunks
Text = tuple[UUID, str, str, str]  # run, step, where, text


def check(runs: Any) -> Iterator[Breach]:
    """`runs` is a queryset of the runs to look at."""
    for project in Project.objects.filter(pk__in=Secret.objects.values("project")).order_by("pk"):
        hidden = secrets.reveal_all(project)
        if hidden:
            yield from _project(runs.filter(project=project), hidden)


def _project(runs: Any, hidden: Mapping[str, str]) -> Iterator[Breach]:
    told: set[tuple[UUID, str, str]] = set()
    for run, step, where, text in _suspects(_texts(runs), hidden):
        names = [name for name in hidden if f"[redacted:{name}]" in redact_text(text, {name: hidden[name]})]
        names = [name for name in names if f"[redacted:{name}]" not in text] or names
        if redact_text(text, hidden) != text and (run, step, where) not in told:
            told.add((run, step, where))
            yield Breach(26, f"{where} holds the secret {', '.join(sorted(names)[:3])}.", run, step)


def _suspects(texts: Iterable[Text], hidden: Mapping[str, str]) -> Iterator[Text]:
    """Those of a heap that the redactor would change; a clean heap is done with in one look."""
    heap: list[Text] = []
    size = 0
    for found in texts:
        heap.append(found)
        size += len(found[3])
        if size >= AT_ONCE:
            yield from _dirty(heap, hidden)
            heap, size = [], 0
    yield from _dirty(heap, hidden)


def _dirty(heap: list[Text], hidden: Mapping[str, str]) -> Iterator[Text]:
    joined = "\x00|".join(text for _, _, _, text in heap)
    if redact_text(joined, hidden) != joined:
        yield from (found for found in heap if redact_text(found[3], hidden) != found[3])


def _texts(runs: Any) -> Iterator[Text]:
    yield from _columns(WorkflowRun.objects.filter(pk__in=runs.values("pk")), "The run", "pk", "", ("inputs",))
    mine = runs.values("pk")
    yield from _columns(Event.objects.filter(run__in=mine), "An event", "run_id", "step_key", ("data",))
    steps = StepRun.objects.filter(run__in=mine)
    yield from _columns(steps, "The step", "run_id", "key", ("error", "outputs", "checks"))
    attempts = ExecutionRun.objects.filter(run__in=mine)
    columns = ("error", "handle", "checkpoint", "checks", "extension")
    yield from _columns(attempts, "An attempt", "run_id", "step_run__key", columns)
    yield from _logs(mine)


def _columns(rows: Any, where: str, run: str, step: str, names: tuple[str, ...]) -> Iterator[Text]:
    cast = {f"{name}_text": Cast(name, TextField()) for name in names}
    wanted = [run, *([step] if step else []), *cast]
    for values in rows.order_by("pk").annotate(**cast).values_list(*wanted).iterator():
        key = values[1] if step else ""
        for name, text in zip(names, values[-len(names) :], strict=True):
            if text:
                yield values[0], key, f"{where} ({name})", text


def _logs(mine: Any) -> Iterator[Text]:
    chunks = LogChunk.objects.filter(attempt__run__in=mine).order_by("attempt_id", "offset")
    before, tail = None, ""
    for attempt, run, key, text in chunks.values_list(
        "attempt_id", "attempt__run_id", "attempt__step_run__key", "text"
    ).iterator(chunk_size=100):
        tail = tail if attempt == before else ""
        yield run, key, "The log", tail + text
        before, tail = attempt, (tail + text)[-OVERLAP:]
