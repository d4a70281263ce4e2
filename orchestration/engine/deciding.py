"""What people decide: approve or reject a pending request, on the digest that they were shown."""

from __future__ import annotations

import uuid

from orchestration.engine import agent_gates, drift, overriding, replanning
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.errors import InvalidInput, NotFound, WrongState
from orchestration.models import StepRun, WorkflowRun
from policy import access, approvals, members
from policy.actors import Actor
from policy.models import Approval
from policy.models.approvals import ApprovalKind

DECISIONS = ("approve", "reject")
NEW_ROLE = "alert.approved_soon_after_grant"


def decide_approval(
    run_id: uuid.UUID, step_key: str, *, decision: str, reason: str, digest: str, by: Actor, approval_id: str = ""
) -> WorkflowRun:
    """Record one person's decision and let the step go on when that was enough."""
    if decision not in DECISIONS:
        raise InvalidInput([("decision", "The decision must be approve or reject.")])

    def body(change: Change) -> WorkflowRun:
        access.require(by, access.Permission.VIEW, change.run.project)
        place = change.step(step_key)
        approval = _pending(change, place, approval_id)
        approvals.check_may_decide(approval, by)
        approvals.record_decision(approval, actor=by, decision=decision, reason=reason, digest=digest, now=change.now)
        _tell(change, place, approval, decision, reason)
        _follow_decision(change, place, approval, decision, reason)
        return change.run

    return change_run(run_id, by, body)


def _pending(change: Change, place: int, approval_id: str) -> Approval:
    step = change.image.steps[place]
    approval = step.approval
    if approval_id and (approval is None or str(approval.pk) != approval_id):
        approval = _named(step, approval_id)
    if step.state != "awaiting_approval" or approval is None or approval.state != "pending":
        raise WrongState(_not_waiting(step, approval), state=step.state)
    return approval


def _not_waiting(step: StepRun, approval: Approval | None) -> str:
    if approval is not None and approval.state not in ("pending", "superseded"):
        return f"This is {approval.get_state_display().lower()} already; nothing waits for a decision here."
    return f"Step {step.key!r} does not wait for a decision: {step.get_state_display().lower()}."


def _named(step: StepRun, approval_id: str) -> Approval:
    asked = {str(approval.pk): approval for approval in Approval.objects.filter(subject=f"step:{step.pk}")}
    if approval_id not in asked:
        raise NotFound(f"Nothing was asked under this approval_id of step {step.key!r}.")
    return asked[approval_id]


def _tell(change: Change, place: int, approval: Approval, decision: str, reason: str) -> None:
    key = change.image.steps[place].key
    change.event("approval.decided", key, {"approval": str(approval.pk), "decision": decision, "reason": reason})
    change.audited(
        f"approval.{decision}",
        step=key,
        reason=reason,
        payload_digest=approval.digest,
        after={"approval": str(approval.pk), "kind": approval.kind, "level": approval.level},
    )
    if decision == "approve" and members.was_given_lately(change.run.project, change.actor.user_id or 0, change.now):
        change.event(NEW_ROLE, key, {"approval": str(approval.pk), "by": change.actor.name})
        change.audited(NEW_ROLE, step=key, reason="The role of who approved it is less than an hour old.")


def _follow_decision(change: Change, place: int, approval: Approval, decision: str, reason: str) -> None:
    if decision == "reject":
        approval.reject()
        approval.decided_at = change.now
        approval.save(update_fields=["state", "decided_at"])
        _rejected(change, place, approval, reason)
    elif approvals.is_satisfied(approval):
        approval.approve()
        approval.decided_at = change.now
        approval.save(update_fields=["state", "decided_at"])
        _approved(change, place, approval, reason)


def _approved(change: Change, place: int, approval: Approval, reason: str) -> None:
    step = change.image.steps[place]
    if "drift" in approval.facts:
        drift.accept(change, approval, reason)
        return
    if approval.kind == ApprovalKind.SKIP:
        finish_skip(change, place, approval)
        return
    if approval.kind == ApprovalKind.REPLAN:
        replanning.approved(change, place, approval)
        return
    if agent_gates.is_part(approval):
        agent_gates.approved(change, place, approval)
        return
    is_checkpoint_step = step.type == "approval"
    if is_checkpoint_step:
        approval.consume()
        approval.consumed_at = change.now
        approval.save(update_fields=["state", "consumed_at"])
        outputs = {
            "approved_by": ", ".join(sorted(d.user.get_username() for d in approvals.counted_decisions(approval)))
        }
        change.move(place, "approved", finished_at=change.now, outputs=outputs)
    else:
        change.move(place, "approved")


def _rejected(change: Change, place: int, approval: Approval, reason: str) -> None:
    definition = change.image.plan.definitions[place]
    if approval.kind == ApprovalKind.SKIP:
        before = approval.facts.get("skip", {}).get("before", "")
        change.move(place, "refuse_skip", before, reason="skip_rejected", approval_id=None)
        change.image.steps[place].approval = None
        return
    if approval.kind == ApprovalKind.REPLAN:
        replanning.rejected(change, place)
        return
    if overriding.is_of_denial(approval):
        overriding.refused(change, place, f"The rules forbid it, and running it all the same was refused: {reason}")
        return
    if agent_gates.is_part(approval):
        agent_gates.rejected(change, place, approval, reason)
        return
    if "drift" in approval.facts:
        error = f"The changed files were not accepted: {reason}"[:4000]
        change.move(place, "rejected", "failed", reason=drift.REASON, error=error, finished_at=change.now)
        return
    target = "skipped" if definition.get("on_reject") == "skip" else "failed"
    change.move(place, "rejected", target, reason="rejected", error=reason, finished_at=change.now)


def finish_skip(change: Change, place: int, approval: Approval) -> None:
    """An elevated approval of a skip releases the skip itself, and nothing else."""
    approval.consume()
    approval.consumed_at = change.now
    approval.save(update_fields=["state", "consumed_at"])
    asked = approval.facts.get("skip", {})
    change.move(
        place,
        "skip",
        reason="skipped",
        outputs=asked.get("outputs", {}),
        finished_at=change.now,
        data={"evidence": asked.get("evidence", ""), "asked_reason": asked.get("reason", "")},
    )
    change.audited(
        "step.skipped",
        step=change.image.steps[place].key,
        reason=asked.get("reason", ""),
        after={"evidence": asked.get("evidence", ""), "outputs": asked.get("outputs", {})},
    )
