"""One road for everything that people do to a run: read what is asked, do it once, answer how the run stands then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.http import HttpRequest
from pydantic import BaseModel

from orchestration import reconciliation
from orchestration.api import bodies, idempotency
from orchestration.api.auth import asker
from orchestration.api.refusals import RunConflict
from orchestration.api.rendering import Answer
from orchestration.engine import actions, door
from orchestration.engine.errors import Unlaunchable, WrongState
from orchestration.models import StepRun, WorkflowRun
from orchestration.reading import runs
from policy.actors import Actor
from policy.errors import Conflict, PolicyError

B = TypeVar("B", bound=BaseModel)


def act(
    request: HttpRequest,
    run: WorkflowRun,
    shape: type[B],
    deed: Callable[[UUID, B, Actor], Any],
    *,
    limit: int = bodies.MAX_BODY,
    default: bytes = b"",
) -> Answer:
    """Let the engine do it; it audits what it refuses. Where the state of things is why, the answer tells it."""
    by, body = asker(request), bodies.read_body(request, shape, limit=limit, default=default)

    def effect() -> Answer:
        deed(run.pk, body, by)
        return Answer(runs.run_detail(by, str(run.pk)))

    try:
        return idempotency.once(request, body, effect, refused=lambda error: _keep_trace(run.pk, by, error))
    except (WrongState, Unlaunchable, Conflict) as refusal:
        raise _told(run.pk, refusal) from refusal


def reconcile(request: HttpRequest, run: WorkflowRun) -> Answer:
    """Ask the run's providers, then answer. A provider is asked outside of any transaction, so a repeat with the same
    key asks as well; that changes nothing, and the answer is the first one."""
    by, body = asker(request), bodies.read_body(request, bodies.Reconcile, default=b"{}")
    reconciliation.look_at_run(run.pk, by=by)
    return idempotency.once(request, body, lambda: Answer(runs.run_detail(by, str(run.pk))))


def _told(run_id: UUID, refusal: Exception) -> RunConflict:
    run = WorkflowRun.objects.get(pk=run_id)
    present = StepRun.objects.filter(run=run).exclude(state="superseded")
    states = present.order_by().values_list("state", flat=True).distinct()
    return RunConflict(refusal, state=run.state, allowed_actions=actions.allowed_actions(run, list(states)))


def _keep_trace(run_id: UUID, by: Actor, refusal: Exception) -> None:
    """What the engine wrote of its refusal went with the transaction that held the key: write it again."""
    if isinstance(refusal, (WrongState, PolicyError)) and not isinstance(refusal, idempotency.KeyReused):
        door.record_refusal(run_id, by, refusal)
