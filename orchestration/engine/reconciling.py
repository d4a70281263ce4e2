"""Answers that a provider owes an attempt: which are to be asked about, and what is written of how they stand.

`in_sync`: the provider knows nothing that is not known here. `stale`: it is further than the attempt heard, or it still
works for an attempt that is over. `error`: it could not be asked. A late answer is kept beside its attempt as evidence
and changes nothing; the next attempt of the same task takes it up. Nothing here talks to a provider.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from orchestration.engine import rows
from orchestration.engine.change import Change
from orchestration.engine.door import change_run, database_now
from orchestration.executors.agents.state import is_open, question_of
from orchestration.models import ExecutionRun
from orchestration.providers.looking import Look, keepers
from orchestration.storable import storable
from policy import access, audit
from policy.actors import Actor
from policy.redaction import redact_data

RECONCILER = Actor.system("reconciler")
EVERY = timedelta(seconds=60)  # between two looks at one answer
LONGEST = timedelta(days=7)  # no provider keeps an answer longer
AT_ONCE = 200
DONE_WITH = ("succeeded", "skipped", "canceled", "superseded")
SHOWN = 2000


@dataclass(frozen=True)
class Owed:
    attempt_id: uuid.UUID
    run_id: uuid.UUID
    project_id: int
    provider: str
    step_key: str
    number: int
    handle: Mapping[str, Any]  # the provider's own
    is_driven: bool  # the attempt is open: its worker hears the answer
    is_wanted: bool  # a later attempt may still go on with it


def due() -> list[Owed]:
    """What nobody has asked about for a while."""
    now = database_now()
    waited = Q(last_reconciled_at=None) | Q(last_reconciled_at__lte=now - EVERY)
    driven = _driven().filter(waited, started_at__lte=now - EVERY)
    return [*_owed(driven), *_owed(_left(now).filter(waited))]


def of_run(run_id: uuid.UUID) -> list[Owed]:
    """Everything that is open or out of step in one run, now."""
    return [*_owed(_driven().filter(run=run_id)), *_owed(_left(database_now()).filter(run=run_id))]


def asked_by(run_id: uuid.UUID, by: Actor) -> list[Owed]:
    """The same because somebody wants to know. It can stop an answer that nobody waits for, so who asked is kept."""

    def body(change: Change) -> None:
        access.require(by, access.Permission.LAUNCH, change.run.project)
        subject, project = f"run:{run_id}", change.run.project.slug
        audit.append("run.reconcile_asked", actor=by, project=project, run=str(run_id), subject=subject)

    change_run(run_id, by, body)
    return of_run(run_id)


def everything() -> list[Owed]:
    return [*_owed(_driven()), *_owed(_left(database_now()))]


def write(owed: Owed, look: Look | None, error: str = "", hidden: Mapping[str, str] | None = None) -> str:
    """Write how one answer stands, and answer the attempt's status. No `look`: the provider could not be asked."""

    def body(change: Change) -> str:
        attempt = ExecutionRun.objects.select_for_update().get(pk=owed.attempt_id)
        if _went_on(attempt, owed):
            return str(attempt.sync_status)
        status = _status(owed, look)
        changes: dict[str, Any] = {"sync_status": status, "sync_error": error[:500], "last_reconciled_at": change.now}
        if look is not None and not owed.is_driven and not look.is_working:
            changes["extension"] = {**attempt.extension, "at_provider": _evidence(look, change.now, hidden or {})}
        rows.update(ExecutionRun, changes, id=attempt.pk)
        if attempt.sync_status != status or (look is not None and look.was_stopped):
            _tell(change, owed, look, status, error)
        return status

    return change_run(owed.run_id, RECONCILER, body)


def is_owed(attempt: ExecutionRun) -> bool:
    """Whether asking the provider about this attempt could tell anything."""
    if attempt.finished_at is not None:
        return attempt.sync_status != "in_sync" and bool(_of_provider(attempt))
    return attempt.provider in keepers() and bool(_of_provider(attempt))


def _driven() -> QuerySet[ExecutionRun]:
    return ExecutionRun.objects.filter(finished_at=None, provider__in=keepers(), handle__isnull=False)


def _left(now: datetime) -> QuerySet[ExecutionRun]:
    ended = ExecutionRun.objects.filter(finished_at__isnull=False).exclude(sync_status="in_sync")
    return ended.filter(finished_at__gte=now - LONGEST)


def _owed(found: QuerySet[ExecutionRun]) -> list[Owed]:
    ordered = found.select_related("step_run", "run").order_by("last_reconciled_at", "started_at")[:AT_ONCE]
    named = [(attempt, _of_provider(attempt)) for attempt in ordered]
    return [_of(attempt, handle) for attempt, handle in named if handle]


def _of_provider(attempt: ExecutionRun) -> Mapping[str, Any]:
    return (attempt.handle or {}).get("provider_handle") or {}


def _of(attempt: ExecutionRun, handle: Mapping[str, Any]) -> Owed:
    return Owed(
        attempt_id=attempt.pk,
        run_id=attempt.run_id,
        project_id=attempt.run.project_id,
        provider=attempt.provider,
        step_key=attempt.step_run.key,
        number=attempt.number,
        handle=handle,
        is_driven=attempt.finished_at is None,
        is_wanted=attempt.finished_at is None or _is_wanted(attempt),
    )


def _is_wanted(attempt: ExecutionRun) -> bool:
    """A step that may be done again takes the answer up, unless a later attempt has gone on without it."""
    if attempt.run.is_final or attempt.step_run.state in DONE_WITH:
        return False
    others = ExecutionRun.objects.filter(step_run=attempt.step_run_id).order_by("-token")
    if others.filter(token__gt=attempt.token).exists():
        return False
    known = others.filter(token__lte=attempt.token, checkpoint__isnull=False).values_list("checkpoint", flat=True)
    return is_open(attempt.handle, question_of(known.first()))


def _went_on(attempt: ExecutionRun, owed: Owed) -> bool:
    """The attempt ended, or asks something else by now: what was seen is news of yesterday."""
    return _of_provider(attempt) != owed.handle or (attempt.finished_at is None) != owed.is_driven


def _status(owed: Owed, look: Look | None) -> str:
    if look is None:
        return "error"
    return "in_sync" if look.is_working == owed.is_driven else "stale"


def _evidence(look: Look, at: datetime, hidden: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"status": look.status, "at": at.isoformat(), "was_stopped": look.was_stopped}
    if (result := look.result) is not None:
        told |= {"finish": result.finish, "model": result.model, "text": result.text[:SHOWN], "error": result.error}
        told |= {"usage": dict(vars(result.usage))}
    return dict(redact_data(storable(told), hidden))


def _tell(change: Change, owed: Owed, look: Look | None, status: str, error: str) -> None:
    """In the run's history, as long as that is open; that an answer was stopped is a matter of audit always."""
    at_provider = look.status if look is not None else ""
    was_stopped = look is not None and look.was_stopped
    told = {"attempt": owed.number, "sync_status": status, "at_provider": at_provider, "was_stopped": was_stopped}
    told |= {"response_id": str(owed.handle.get("response_id")), "error": error[:500]}
    if not change.run.is_final:
        change.event("attempt.reconciled", owed.step_key, told)
        if was_stopped:
            change.audited("attempt.stopped_at_provider", step=owed.step_key, after=told)
    elif was_stopped:
        subject, project = f"attempt:{owed.attempt_id}", change.run.project.slug
        audit.append("attempt.stopped_at_provider", actor=RECONCILER, project=project, subject=subject, after=told)
