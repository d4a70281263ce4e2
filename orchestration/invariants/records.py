"""What was recorded beside the run: 18, 19, 20."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from django.db.models import Count

from orchestration.invariants.breach import Breach
from orchestration.invariants.facts import RunFacts
from orchestration.invariants.history import History
from orchestration.models import Command, WorkflowRun
from policy import audit

LAUNCH = re.compile(r"POST /api/execution/(workflows/[^/]+/)?runs/?")


def check(facts: RunFacts, history: History) -> Iterator[Breach]:
    """Each audited event has its record, and each record of something done its event."""
    done = Counter(row.sequence for row in facts.audits if row.outcome == "done")
    for sequence, count in sorted(history.audits.items()):
        if count > 1:
            yield Breach(18, f"{count} events name audit record {sequence}.", facts.run.id)
        if sequence not in done:
            yield Breach(18, f"An event names audit record {sequence}, which is not of this run.", facts.run.id)
    for sequence in sorted(set(done) - set(history.audits)):
        yield Breach(18, f"Audit record {sequence} tells of something that no event of the run does.", facts.run.id)


def check_audit() -> Iterator[Breach]:
    result = audit.verify()
    if not result.ok:
        yield Breach(19, result.message)


def check_commands() -> Iterator[Breach]:
    """A key has one effect: it stands once, and the run that it launched is there and nobody else's."""
    doubled = Command.objects.order_by().values("user_id", "key").annotate(count=Count("pk")).filter(count__gt=1)
    for row in doubled.iterator():
        yield Breach(20, f"An idempotency key of person {row['user_id']} stands {row['count']} times.")
    seen: Counter[str] = Counter()
    launches = Command.objects.filter(status=201).order_by("pk").values_list("operation", "answer")
    for operation, answer in launches.iterator():
        if LAUNCH.fullmatch(operation) and isinstance(answer, dict):
            seen[str(answer.get("id"))] += 1
    for run_id, count in seen.items():
        if count > 1:
            yield Breach(20, f"{count} keys answered with one launch of run {run_id}.")
    missing = set(seen) - _existing(list(seen))
    for run_id in sorted(missing):
        yield Breach(20, f"A key answered with a launch of run {run_id[:40]}, which is not there.")


def _existing(names: list[str]) -> set[str]:
    ids = [found for name in names if (found := _uuid(name)) is not None]
    known: set[str] = set()
    for start in range(0, len(ids), 500):
        known |= {
            str(pk) for pk in WorkflowRun.objects.filter(pk__in=ids[start : start + 500]).values_list("pk", flat=True)
        }
    return known


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
