"""Stepping over a denial: asked for with a reason, allowed by somebody else at the elevated level, used once.

It holds for an hour. Two people at least, each with a reason, under audit actions
of its own. Nothing else makes a denied step run.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from orchestration.engine import gates
from orchestration.engine.actions import allowed_actions
from orchestration.engine.change import Change
from orchestration.engine.controlling import act
from orchestration.engine.errors import WrongState
from orchestration.models import WorkflowRun
from policy import approvals
from policy.actors import Actor
from policy.models import Approval
from policy.models.approvals import ApprovalKind, Level
from policy.risk import Verdict

LIFE = timedelta(hours=1)
DENIED = "policy_denied"


def override_step(run_id: uuid.UUID, step_key: str, *, reason: str, by: Actor) -> WorkflowRun:
    """Ask that a step which the rules forbid runs all the same."""

    def body(change: Change) -> WorkflowRun:
        place = change.step(step_key)
        _refuse_what_was_not_denied(change, place)
        _ask(change, place, reason, by)
        return change.run

    return act(run_id, by, reason, body)


def is_of_denial(approval: Approval) -> bool:
    """The other overrides are about files that changed outside."""
    return approval.kind == ApprovalKind.OVERRIDE and "override" in approval.facts


def holds(change: Change, place: int, verdict: Verdict, approval: Approval | None) -> bool:
    """Whether a decision to step over exactly this denial can be used now. The start uses it up like any other."""
    if approval is None or not is_of_denial(approval) or approval.state not in ("approved", "consumed"):
        return False
    facts = facts_for(approval, gates.facts_of(change, place, verdict))
    if approval.state == "consumed":
        facts = {**facts, "workspace": approval.facts.get("workspace")}
    is_late = approval.state == "approved" and approval.expires_at is not None and approval.expires_at <= change.now
    return not is_late and gates.digest_of(facts) == approval.digest and approvals.is_satisfied(approval)


def facts_for(approval: Approval | None, facts: dict[str, Any]) -> dict[str, Any]:
    """What an override was decided on holds who asked for it, and why, beside what would run."""
    if approval is None or not is_of_denial(approval):
        return facts
    return {**facts, "override": approval.facts.get("override")}


def refused(change: Change, place: int, why: str) -> None:
    """Back to denied: the decision was no, or nobody decided in time."""
    change.move(place, "refuse_override", reason=DENIED, error=why, approval_id=None, finished_at=change.now)
    change.audited("step.override_refused", step=change.image.steps[place].key, reason=why)
    change.image.steps[place].approval = None


def _refuse_what_was_not_denied(change: Change, place: int) -> None:
    step, run = change.image.steps[place], change.run
    is_denied = step.state == "failed" and step.state_reason == DENIED and step.type != "approval"
    if run.is_final or run.control == "cancel" or not is_denied:
        raise WrongState(
            f"Only a step that the rules denied can be run against them; {step.key!r} is "
            f"{step.get_state_display().lower()}.",
            state=step.state,
            allowed_actions=allowed_actions(run, change.image.states),
        )


def _ask(change: Change, place: int, reason: str, by: Actor) -> None:
    step, verdict = change.image.steps[place], gates.verdict_now(change, place)
    if verdict.verdict != "deny":
        raise WrongState(
            f"The rules do not deny {step.key!r} any more; retry it instead.",
            state=step.state,
            allowed_actions=allowed_actions(change.run, change.image.states),
        )
    facts: Mapping[str, Any] = {
        **gates.facts_of(change, place, verdict),
        "override": {"reason": reason, "by": by.user_id},
    }
    approval = Approval.objects.create(
        project=change.run.project,
        subject=f"step:{step.pk}",
        title=f"Run {step.key} against the rules ({change.run.project.slug} #{change.run.number})",
        kind=ApprovalKind.OVERRIDE,
        level=Level.ELEVATED,
        digest=gates.digest_of(facts),
        facts=facts,
        risk=verdict.risk,
        reasons=gates.verdict_data(verdict)["reasons"],
        rules_version=verdict.rules_version,
        **gates.deciders(change.image.plan.definitions[place], verdict),
        excluded=sorted({*gates.excluded(change.run), *([by.user_id] if by.user_id else [])}),
        requested_at=change.now,
        requested_by_id=by.user_id,
        expires_at=change.now + LIFE,
    )
    change.move(
        place,
        "ask_override",
        reason="override_asked",
        approval_id=approval.pk,
        digest=approval.digest,
        finished_at=None,
        error="",
        data={"approval": str(approval.pk), "asked_reason": reason},
    )
    step.approval = approval
    change.audited("step.override_asked", step=step.key, reason=reason, payload_digest=approval.digest)
    change.event("approval.requested", step.key, gates.requested(approval))
