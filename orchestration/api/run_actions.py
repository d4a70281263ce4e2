"""What people do to a run: decide, pause, resume, cancel, retry, skip, resolve, replan."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from orchestration.api import acting, bodies
from orchestration.api import answers as shapes
from orchestration.api.acting import act
from orchestration.api.auth import asker
from orchestration.api.problems import answers
from orchestration.api.rendering import Answer
from orchestration.engine import controlling, deciding, overriding, replanning, revoking
from orchestration.reading.finding import find_run

router = Router(tags=["Run actions"])
ANSWERS = answers(shapes.Run, 403, 404, 409, 413, 415)


@router.post("/{run_id}/approve", response=ANSWERS, operation_id="approve", openapi_extra=bodies.takes(bodies.Decide))
def approve(request: HttpRequest, run_id: str) -> Answer:
    """Approve or reject what a step waits for, on the digest that was shown."""
    return act(
        request, find_run(asker(request), run_id), bodies.Decide,
        lambda run, body, by: deciding.decide_approval(
            run, body.step_key, decision=body.decision, reason=body.reason, digest=body.digest, by=by,
            approval_id=body.approval_id or "",
        ),
    )  # fmt: skip


@router.post("/{run_id}/pause", response=ANSWERS, operation_id="pause", openapi_extra=bodies.takes(bodies.Pause))
def pause(request: HttpRequest, run_id: str) -> Answer:
    """Start nothing new; steps in flight finish."""
    return act(
        request, find_run(asker(request), run_id), bodies.Pause,
        lambda run, body, by: controlling.pause_run(run, reason=body.reason, by=by),
    )  # fmt: skip


@router.post("/{run_id}/resume", response=ANSWERS, operation_id="resume", openapi_extra=bodies.takes(bodies.Resume))
def resume(request: HttpRequest, run_id: str) -> Answer:
    """Go on from the last checkpoint: lift a pause, do interrupted steps again."""
    return act(
        request, find_run(asker(request), run_id), bodies.Resume,
        lambda run, body, by: controlling.resume_run(
            run, reason=body.reason, by=by, step_key=body.step_key or "", impact_digest=body.impact_digest
        ),
    )  # fmt: skip


@router.post(
    "/{run_id}/reconcile",
    response=answers(shapes.Run, 403, 404, 409, 413, 415),
    operation_id="reconcile",
    openapi_extra=bodies.takes(bodies.Reconcile, required=False),
)
def reconcile(request: HttpRequest, run_id: str) -> Answer:
    """Ask the providers how the run's open answers stand. A provider that is slow is waited for a few seconds only."""
    return acting.reconcile(request, find_run(asker(request), run_id))


@router.post("/{run_id}/cancel", response=ANSWERS, operation_id="cancel", openapi_extra=bodies.takes(bodies.Cancel))
def cancel(request: HttpRequest, run_id: str) -> Answer:
    """End the run and the work that it has in flight. Asking twice is no error."""
    return act(
        request, find_run(asker(request), run_id), bodies.Cancel,
        lambda run, body, by: controlling.cancel_run(run, reason=body.reason, by=by, impact_digest=body.impact_digest),
    )  # fmt: skip


@router.post(
    "/{run_id}/retry-step", response=ANSWERS, operation_id="retry_step", openapi_extra=bodies.takes(bodies.RetryStep)
)
def retry_step(request: HttpRequest, run_id: str) -> Answer:
    """Do a failed, interrupted or waiting step again; its gates are formed afresh."""
    return act(
        request, find_run(asker(request), run_id), bodies.RetryStep,
        lambda run, body, by: controlling.retry_step(
            run, body.step_key, reason=body.reason, by=by, impact_digest=body.impact_digest,
            restore_workspace=body.restore_workspace,
        ),
    )  # fmt: skip


@router.post(
    "/{run_id}/skip-step", response=ANSWERS, operation_id="skip_step", openapi_extra=bodies.takes(bodies.SkipStep)
)
def skip_step(request: HttpRequest, run_id: str) -> Answer:
    """Leave a step out, or say that it was done otherwise. Of a risky step the skip itself waits for approval."""
    return act(
        request, find_run(asker(request), run_id), bodies.SkipStep,
        lambda run, body, by: controlling.skip_step(
            run, body.step_key, reason=body.reason, by=by, evidence=body.evidence, outputs=body.outputs,
            impact_digest=body.impact_digest,
        ),
    )  # fmt: skip


@router.post(
    "/{run_id}/override-step",
    response=ANSWERS,
    operation_id="override_step",
    openapi_extra=bodies.takes(bodies.OverrideStep),
)
def override_step(request: HttpRequest, run_id: str) -> Answer:
    """Ask for an elevated approval that a step runs though the rules deny it. It holds once, for an hour."""
    return act(
        request, find_run(asker(request), run_id), bodies.OverrideStep,
        lambda run, body, by: overriding.override_step(run, body.step_key, reason=body.reason, by=by),
    )  # fmt: skip


@router.post("/{run_id}/revoke", response=ANSWERS, operation_id="revoke", openapi_extra=bodies.takes(bodies.Revoke))
def revoke(request: HttpRequest, run_id: str) -> Answer:
    """Take an approval back before its step starts; the step is asked about again."""
    return act(
        request, find_run(asker(request), run_id), bodies.Revoke,
        lambda run, body, by: revoking.revoke_approval(run, body.step_key, reason=body.reason, by=by),
    )  # fmt: skip


@router.post(
    "/{run_id}/resolve-step",
    response=ANSWERS,
    operation_id="resolve_step",
    openapi_extra=bodies.takes(bodies.ResolveStep),
)
def resolve_step(request: HttpRequest, run_id: str) -> Answer:
    """Say how an interrupted step ended."""
    return act(
        request, find_run(asker(request), run_id), bodies.ResolveStep,
        lambda run, body, by: controlling.resolve_step(
            run, body.step_key, outcome=body.outcome, reason=body.reason, by=by, evidence=body.evidence,
            outputs=body.outputs,
        ),
    )  # fmt: skip


@router.post("/{run_id}/replan", response=ANSWERS, operation_id="replan", openapi_extra=bodies.takes(bodies.Replan))
def replan(request: HttpRequest, run_id: str) -> Answer:
    """Replace the steps that have not started; the plan's next version is recorded."""
    return act(
        request, find_run(asker(request), run_id), bodies.Replan,
        lambda run, body, by: replanning.replan_run(
            run, [step.model_dump(mode="json", by_alias=True, exclude_none=True) for step in body.steps],
            reason=body.reason, by=by, impact_digest=body.impact_digest,
        ),
        limit=bodies.MAX_PLAN,
    )  # fmt: skip
