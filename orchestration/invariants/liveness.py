"""Whether somebody drives what is open, and nothing lives that must not: 6, 27."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count

from orchestration import processes
from orchestration.invariants.arrows import FINAL
from orchestration.invariants.breach import WARNING, Breach
from orchestration.invariants.facts import AttemptRow, RunFacts
from orchestration.models import Event, StepRun
from orchestration.spawner import host_name
from policy.models import Project

PATIENCE = timedelta(seconds=60)


def check_final(facts: RunFacts) -> Iterator[Breach]:
    """A run that is over has no attempt open, and a canceled one no process of this machine."""
    if facts.run.state not in FINAL:
        return
    for step in facts.steps:
        for attempt in facts.attempts.get(step.id, ()):
            if attempt.finished_at is None:
                message = f"The run is {facts.run.state}, and attempt {attempt.number} is still open."
                yield Breach(6, message, facts.run.id, step.key)
            elif facts.run.state == "canceled" and _lives(attempt):
                message = f"The run is canceled, and the process of attempt {attempt.number} lives."
                yield Breach(6, message, facts.run.id, step.key)


def check_leases(facts: RunFacts, now: datetime) -> Iterator[Breach]:
    for step in facts.steps:
        for attempt in facts.attempts.get(step.id, ()):
            if attempt.finished_at is None and attempt.lease_expires_at and attempt.lease_expires_at < now - PATIENCE:
                message = f"Nobody has looked after attempt {attempt.number} since {attempt.lease_expires_at:%F %T}."
                yield Breach(27, message, facts.run.id, step.key, WARNING)


def check_waiting(runs: Any, now: datetime) -> Iterator[Breach]:
    """Ready steps that nobody starts though there is room, and waits whose end nobody saw."""
    counted = StepRun.objects.filter(state="running").order_by().values_list("run__project_id").annotate(Count("id"))
    running = dict(counted)
    limits = dict(Project.objects.values_list("pk", "max_running_steps"))
    open_steps = StepRun.objects.filter(run__in=runs.values("pk"), run__control="none", run__admitted=True)
    for run, project, key in _columns(open_steps.filter(state="ready")):
        has_room = running.get(project, 0) < limits[project] and not _is_full(run)
        if has_room and _since(run, key) < now - PATIENCE:
            yield Breach(
                27, "The step has been ready for a minute, there is room, and nobody starts it.", run, key, WARNING
            )
    late = now - PATIENCE
    for run, _, key in _columns(open_steps.filter(state="retry_wait", due_at__lt=late)):
        yield Breach(27, "The time to retry the step has passed, and nobody has seen it.", run, key, WARNING)
    expired = open_steps.filter(state="awaiting_approval", approval__state="pending", approval__expires_at__lt=late)
    for run, _, key in _columns(expired):
        yield Breach(27, "The time to decide has passed, and nobody has seen it.", run, key, WARNING)


def _columns(steps: Any) -> Any:
    return steps.order_by("pk").values_list("run_id", "run__project_id", "key").iterator()


def _is_full(run: Any) -> bool:
    limit = StepRun.objects.filter(run=run).values_list("run__version__plan__max_parallel", flat=True).first()
    return isinstance(limit, int) and StepRun.objects.filter(run=run, state="running").count() >= limit


def _since(run: Any, key: str) -> datetime:
    found = Event.objects.filter(run=run, step_key=key).order_by("-sequence_no").values_list("at", flat=True).first()
    return found or datetime.min.replace(tzinfo=UTC)


def _lives(attempt: AttemptRow) -> bool:
    handle = attempt.handle if isinstance(attempt.handle, dict) else {}
    pid, started = handle.get("pid"), handle.get("start_time")
    is_here = handle.get("host") == host_name() and handle.get("boot_id") == processes.boot_id()
    return is_here and isinstance(pid, int) and isinstance(started, str) and processes.is_same(pid, started)
