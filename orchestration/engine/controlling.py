"""What people do to a run: pause, resume, cancel, retry, skip, resolve. Explicit, with a reason, audited."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from orchestration import dispatch
from orchestration.engine import agent_gates, drift, gates, impact, readers
from orchestration.engine.actions import allowed_actions
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.errors import InvalidInput, Unfilled, WrongState
from orchestration.models import ExecutionRun, StepRun, WorkflowRun
from policy import access, approvals
from policy.actors import Actor
from policy.models import Approval
from policy.models.approvals import ApprovalKind, Level

T = TypeVar("T")
WAITING = ("pending", "awaiting_approval", "ready", "retry_wait", "interrupted")
RISKY = ("high", "critical")


def pause_run(run_id: uuid.UUID, *, reason: str, by: Actor) -> WorkflowRun:
    """Nothing new starts; what is in flight finishes."""

    def body(change: Change) -> WorkflowRun:
        _allow(change, "pause")
        change.set_run(control="pause")
        change.event("run.pause_asked", "", {"reason": reason})
        change.audited("run.paused", reason=reason)
        return change.run

    return act(run_id, by, reason, body)


def resume_run(
    run_id: uuid.UUID, *, reason: str, by: Actor, step_key: str = "", impact_digest: str = ""
) -> WorkflowRun:
    """Go on from the last checkpoint: lift the pause, and do interrupted steps again."""

    def body(change: Change) -> WorkflowRun:
        _allow(change, "resume")
        impact.check(change, "resume", step_key, impact_digest)
        change.set_run(control="none")
        change.event("run.resume_asked", step_key, {"reason": reason})
        change.audited("run.resumed", step=step_key, reason=reason)
        for place in _interrupted(change, step_key):
            again(change, place, reason)
        drift.release_all(change)
        change.settled.update(range(len(change.image.states)))
        change.nudges.update(step.pk for step in change.image.steps if step.state == "ready")
        return change.run

    return act(run_id, by, reason, body)


def cancel_run(run_id: uuid.UUID, *, reason: str, by: Actor, impact_digest: str = "") -> WorkflowRun:
    """End the run: what waits is canceled now, what runs is ended and then canceled. Asking twice is no error."""

    def body(change: Change) -> WorkflowRun:
        if change.run.control == "cancel":
            return change.run
        _allow(change, "cancel")
        impact.check(change, "cancel", "", impact_digest)
        change.event("run.cancel_asked", "", {"reason": reason})
        change.audited("run.canceled", reason=reason)
        cancel_within(change)
        return change.run

    return act(run_id, by, reason, body)


def cancel_within(change: Change, *, reason: str = "canceled") -> None:
    change.set_run(control="cancel")
    for place, state in enumerate(list(change.image.states)):
        if state not in WAITING:
            continue
        agent_gates.withdraw(change, place)
        change.move(place, "cancel", reason=reason, finished_at=change.now)
    run_id = change.run.pk
    change.after_commit.append(lambda: dispatch.control_changed(run_id))


def retry_step(
    run_id: uuid.UUID,
    step_key: str,
    *,
    reason: str,
    by: Actor,
    impact_digest: str = "",
    restore_workspace: bool = False,
) -> WorkflowRun:
    """Do a failed, interrupted or waiting step again now; its gates are formed afresh.

    With `restore_workspace` the files are first brought back to how they were before its last attempt, or where they
    changed from outside, to how the run's last step left them.
    """

    def body(change: Change) -> WorkflowRun:
        place = change.step(step_key)
        _refuse_final(change)
        impact.check(change, "retry-step", step_key, impact_digest)
        waits_for_files = drift.is_waiting(change.image.steps[place])
        if restore_workspace:
            _restore_before(change, place)
        elif waits_for_files:
            drift.release(change, place)
        if waits_for_files:
            pass
        elif change.image.states[place] == "retry_wait":
            change.move(place, "due", reason="retry_now", due_at=None)
        elif gates.can_ask_again(change, place):
            gates.ask_again(change, place)
        else:
            again(change, place, reason)
        if waits_for_files or change.run.control == "pause":
            change.set_run(control="none")
            change.event("run.resume_asked", step_key, {"reason": reason})
        change.audited("step.retried", step=step_key, reason=reason)
        return change.run

    return act(run_id, by, reason, body)


def _restore_before(change: Change, place: int) -> None:
    """The worker does it before the next start; what is asked and digested from now on is the restored state."""
    step, run = change.image.steps[place], change.run
    commit, tree, head = _earlier(change, step)
    if run.workspace_kind != "worktree" or not commit:
        raise InvalidInput([("restore_workspace", "There is no earlier state of the files to go back to.")])
    if "running" in change.image.states:
        raise WrongState(
            "Other steps work in these files now; let them end before the files are restored.",
            state=run.state,
            allowed_actions=allowed_actions(run, change.image.states),
        )
    change.set_run(restore_pending=True, workspace_commit=commit, workspace_tree=tree, workspace_head=head)
    change.event("run.restore_asked", step.key, {"commit": commit})
    drift.release_all(change)


def _earlier(change: Change, step: StepRun) -> tuple[str, str, str]:
    """Commit, tree and head to go back to: the last step's where files drifted, else before the last attempt."""
    run = change.run
    if drift.is_waiting(step) or step.state_reason == drift.REASON:
        return run.workspace_commit, run.workspace_tree, run.workspace_head
    attempt = ExecutionRun.objects.filter(step_run=step).order_by("-number").first()
    return (attempt.commit_before, attempt.tree_before, "") if attempt else ("", "", "")


def again(change: Change, place: int, reason: str) -> None:
    """A new series of attempts; an approval of the old one counts for nothing here."""
    step = change.image.steps[place]
    agent_gates.withdraw(change, place)
    change.move(
        place,
        "retry",
        series_start=step.attempt,
        losses=0,
        approval_id=None,
        execution_run_id=None,
        finished_at=None,
        error="",
        exit_code=None,
        data={"asked_reason": reason},
    )
    step.approval = None


def skip_step(
    run_id: uuid.UUID,
    step_key: str,
    *,
    reason: str,
    by: Actor,
    evidence: str = "",
    outputs: Mapping[str, Any] | None = None,
    impact_digest: str = "",
) -> WorkflowRun:
    """Leave a step out, or say that it was done otherwise. Of a risky step or a checkpoint the skip needs approval."""
    asked: dict[str, Any] = {"reason": reason, "evidence": evidence, "outputs": dict(outputs or {}), "by": by.user_id}

    def body(change: Change) -> WorkflowRun:
        place = change.step(step_key)
        _refuse_final(change)
        impact.check(change, "skip-step", step_key, impact_digest)
        _check_outputs(change, place, asked["outputs"])
        if skip_needs_approval(change, place):
            _ask_skip(change, place, asked, by)
            return change.run
        agent_gates.withdraw(change, place)
        change.move(
            place,
            "skip",
            reason="skipped",
            outputs=asked["outputs"],
            finished_at=change.now,
            due_at=None,
            data={
                "evidence": evidence,
                "asked_reason": reason,
                **readers.missing(change.image, place, asked["outputs"]),
            },
        )
        change.audited("step.skipped", step=step_key, reason=reason, after={"evidence": evidence})
        return change.run

    return act(run_id, by, reason, body)


def skip_needs_approval(change: Change, place: int) -> bool:
    step = change.image.steps[place]
    if step.type == "approval" or step.risk in RISKY:
        return True
    try:
        verdict = gates.verdict_now(change, place)
    except Unfilled:
        return True
    return verdict.verdict != "allow" or verdict.risk in RISKY


def _ask_skip(change: Change, place: int, asked: Mapping[str, Any], by: Actor) -> None:
    step = change.image.steps[place]
    if change.image.states[place] not in (
        "failed",
        "interrupted",
        "pending",
        "retry_wait",
        "ready",
        "awaiting_approval",
    ):
        raise WrongState(
            f"Step {step.key!r} can't be skipped now: {step.get_state_display().lower()}.",
            state=step.state,
            allowed_actions=allowed_actions(change.run, change.image.states),
        )
    if step.approval is not None:
        if step.approval.kind == ApprovalKind.SKIP and step.approval.state == "pending":
            raise WrongState(
                f"Somebody asked to skip {step.key!r} already; that waits for a decision.",
                state=step.state,
                allowed_actions=allowed_actions(change.run, change.image.states),
            )
        agent_gates.withdraw(change, place)
    verdict, told = gates.without_start(change, place)
    facts = {**told, "skip": {**asked, "before": change.image.states[place]}}
    approval = Approval.objects.create(
        project=change.run.project,
        subject=f"step:{step.pk}",
        title=f"Skip {step.key} ({change.run.project.slug} #{change.run.number})",
        kind=ApprovalKind.SKIP,
        level=Level.ELEVATED,
        digest=gates.digest_of(facts),
        facts=facts,
        risk=verdict.risk,
        reasons=[{"code": "skip_risky", "message": "A checkpoint or a risky step would be skipped.", "rule": "skip"}],
        rules_version=verdict.rules_version,
        # Stepping round a gate takes no fewer people than passing it.
        **gates.deciders(change.image.plan.definitions[place], verdict),
        excluded=sorted({*gates.excluded(change.run), *([by.user_id] if by.user_id else [])}),
        requested_at=change.now,
        requested_by_id=by.user_id,
    )
    change.move(
        place,
        "ask_skip",
        reason="skip_asked",
        approval_id=approval.pk,
        digest=approval.digest,
        due_at=None,
        data={"approval": str(approval.pk), "asked_reason": asked["reason"]},
    )
    step.approval = approval
    change.audited("step.skip_asked", step=step.key, reason=asked["reason"], payload_digest=approval.digest)
    change.event("approval.requested", step.key, gates.requested(approval))


def resolve_step(
    run_id: uuid.UUID,
    step_key: str,
    *,
    outcome: str,
    reason: str,
    by: Actor,
    evidence: str = "",
    outputs: Mapping[str, Any] | None = None,
) -> WorkflowRun:
    """Say how an interrupted step ended. Of a risky step only an approver who did not ask for the run may."""
    if outcome not in ("succeeded", "failed"):
        raise InvalidInput([("outcome", "The outcome must be succeeded or failed.")])

    def body(change: Change) -> WorkflowRun:
        place = change.step(step_key)
        _refuse_final(change)
        step = change.image.steps[place]
        if step.risk in RISKY or step.approval_id:
            access.require(by, access.Permission.DECIDE, change.run.project)
            approvals.check_person(by, gates.excluded(change.run))
        _check_outputs(change, place, dict(outputs or {}))
        left = readers.missing(change.image, place, outputs or {}) if outcome == "succeeded" else {}
        change.move(
            place,
            "resolve",
            outcome,
            reason="resolved",
            outputs=dict(outputs or {}),
            finished_at=change.now,
            error="" if outcome == "succeeded" else reason,
            data={"evidence": evidence, "asked_reason": reason, **left},
        )
        change.audited("step.resolved", step=step_key, reason=reason, after={"outcome": outcome, "evidence": evidence})
        agent_gates.withdraw_parts(change, place)
        return change.run

    return act(run_id, by, reason, body)


def _interrupted(change: Change, step_key: str) -> list[int]:
    if step_key:
        place = change.step(step_key)
        return [place] if change.image.states[place] == "interrupted" else []
    return [place for place, state in enumerate(change.image.states) if state == "interrupted"]


def _check_outputs(change: Change, place: int, outputs: Mapping[str, Any]) -> None:
    promised = change.image.plan.definitions[place].get("outputs", [])
    unknown = [name for name in outputs if name not in promised]
    if unknown:
        raise InvalidInput([(f"outputs.{name}", f"The step promises no output {name!r}.") for name in unknown])


def _allow(change: Change, action: str) -> None:
    actions = allowed_actions(change.run, change.image.states)
    if action not in actions:
        raise WrongState(
            f"The run is {change.run.get_state_display().lower()}; it can't {action} now.",
            state=change.run.state,
            allowed_actions=actions,
        )


def _refuse_final(change: Change) -> None:
    if change.run.is_final or change.run.control == "cancel":
        raise WrongState(
            f"The run is {change.run.get_state_display().lower()}; nothing about it can change any more.",
            state=change.run.state,
            allowed_actions=allowed_actions(change.run, change.image.states),
        )


def act(run_id: uuid.UUID, by: Actor, reason: str, body: Callable[[Change], T]) -> T:
    if not reason.strip():
        raise InvalidInput([("reason", "Say why; the reason goes into the audit log.")])

    def checked(change: Change) -> T:
        access.require(by, access.Permission.LAUNCH, change.run.project)
        try:
            return body(change)
        except Unfilled as missing:
            actions = allowed_actions(change.run, change.image.states)
            raise WrongState(str(missing), state=change.run.state, allowed_actions=actions) from missing

    return change_run(run_id, by, checked)
