"""Taking an approval back before it is used. The step is asked about again; nothing that has started is undone."""

from __future__ import annotations

import uuid
from contextlib import suppress

from orchestration.engine import agent_gates, gates, overriding
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.errors import InvalidInput, Unfilled, WrongState
from orchestration.models import WorkflowRun
from policy import access
from policy.actors import Actor
from policy.errors import HumanPresenceRequired
from policy.models import Approval


def revoke_approval(run_id: uuid.UUID, step_key: str, *, reason: str, by: Actor) -> WorkflowRun:
    """Any approver of the project may: it is the safe direction. A credential that decides nothing revokes nothing."""
    if not reason.strip():
        raise InvalidInput([("reason", "Say why; the reason goes into the audit log.")])

    def body(change: Change) -> WorkflowRun:
        access.require(by, access.Permission.DECIDE, change.run.project)
        if not by.may_approve:
            raise HumanPresenceRequired
        place = change.step(step_key)
        _revoke(change, place, _unused(change, place), reason)
        return change.run

    return change_run(run_id, by, body)


def _unused(change: Change, place: int) -> Approval:
    step = change.image.steps[place]
    approval = step.approval
    if approval is None or approval.state != "approved" or step.state != "ready":
        raise WrongState(
            f"Nothing that was approved for step {step.key!r} is unused; it is {step.get_state_display().lower()}.",
            state=step.state,
        )
    return approval


def _revoke(change: Change, place: int, approval: Approval, reason: str) -> None:
    key = change.image.steps[place].key
    approval.revoke()
    approval.save(update_fields=["state"])
    change.event("approval.revoked", key, {"approval": str(approval.pk), "reason": reason})
    change.audited("approval.revoked", step=key, reason=reason, payload_digest=approval.digest)
    # The call of an agent is asked about again when the agent makes it; so is a denied step, by a person.
    if agent_gates.is_part(approval) or overriding.is_of_denial(approval):
        return
    # Nor is what lacks something that it needs: it fails with that when it would start.
    with suppress(Unfilled):
        gates.ask(change, place, arrow="lapse", verdict=gates.verdict_now(change, place), reason="approval_lapsed")
