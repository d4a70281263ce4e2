"""ready -> running: the last look before the effect.

Everything is evaluated again inside the transaction that writes the intent: control, slots, rules, digest, and
whether those who approved still may. Only what agrees is started, and the approval is used up by it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestration import boundary
from orchestration.engine import agent_gates, checkpoints, drift, environments, gates, overriding, promoting, usage
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.drift import Look, LookFirst
from orchestration.engine.errors import Unfilled
from orchestration.engine.filling import filled_definition, scope
from orchestration.models import ExecutionRun, StepRun
from policy import approvals, step_facts
from policy.actors import Actor
from policy.models import Approval, Project
from policy.risk import Verdict

LEASE = timedelta(seconds=30)


@dataclass(frozen=True)
class Assignment:
    """One attempt, given to one worker: all that it needs to know of the run."""

    run_id: uuid.UUID
    run_number: int
    project_id: int
    project: str
    feature: str
    step_run_id: int
    step_key: str
    attempt_id: uuid.UUID
    attempt: int
    token: int
    definition: Mapping[str, Any]
    scope: Mapping[str, Any]
    workspace_kind: str
    workspace_path: str
    base_commit: str
    workspace_commit: str
    workspace_tree: str
    workspace_head: str
    branch: str
    folder: tuple[int, int] | None = None  # device and inode of the project's
    handle: Mapping[str, Any] | None = None
    checkpoint: Mapping[str, Any] | None = None
    usage_before: Mapping[str, Any] = field(default_factory=dict)  # of the checkpoint that the attempt began with
    log_state: Mapping[str, Any] = field(default_factory=dict)
    log_size: int = 0
    log_lines: int = 0
    sandbox: str = "none"
    shares_workspace: bool = False
    restore: bool = False  # bring the files back to workspace_commit first
    plan: Mapping[str, Any] = field(default_factory=dict)


def start_step(
    run_id: uuid.UUID, *, owner: str, step_run_id: int | None = None, look: Look | None = None
) -> Assignment | LookFirst | None:
    """Start the named ready step, or the first; None where there is nothing that may start now.

    Where the run's files have to be looked at first, it answers that: look, and ask again with what was found.
    """
    worker = Actor.system("worker")
    return change_run(
        run_id, worker, lambda change: start_within(change, owner=owner, step_run_id=step_run_id, look=look)
    )


def start_within(
    change: Change, *, owner: str, step_run_id: int | None = None, has_slot: bool = False, look: Look | None = None
) -> Assignment | LookFirst | None:
    """As start_step, inside a change; with `has_slot` the caller just freed one of the project's."""
    if change.run.control != "none" or not change.run.admitted or change.run.is_final:
        return None
    while (place := _candidate(change, step_run_id)) is not None:
        if not _has_free_slot(change, has_slot=has_slot):
            return None
        judgement = drift.judge(change, place, look)
        if judgement != "same":
            return _hold_back(change, judgement, look)
        if _may_start(change, place):
            return _start(change, place, owner)
    return None


def _candidate(change: Change, step_run_id: int | None) -> int | None:
    """The next ready step; one that may not start is not ready any more."""
    states = change.image.states
    if step_run_id is None:
        return states.first_ready()
    place = change.image.places.get(step_run_id)
    return place if place is not None and states[place] == "ready" else None


def _hold_back(change: Change, judgement: drift.Judgement, look: Look | None) -> LookFirst | None:
    if judgement == "unseen":
        return drift.look_first(change)
    if judgement == "drifted" and look is not None:
        drift.block(change, look)
    return None


def _has_free_slot(change: Change, *, has_slot: bool) -> bool:
    running = change.image.states.counts["running"]
    limit = change.image.plan.header.get("max_parallel")
    if limit is not None and running >= limit:
        return False
    if has_slot:
        return True
    # The project's row queues those who count; a finishing step hands its slot on without asking.
    project = Project.objects.select_for_update(no_key=True).only("max_running_steps").get(pk=change.run.project_id)
    return StepRun.objects.filter(run__project=project, state="running").count() < project.max_running_steps


def _may_start(change: Change, place: int) -> bool:
    """Agree once more, or put the step where it now belongs."""
    try:
        verdict = gates.verdict_now(change, place, here=True)
    except Unfilled as error:
        agent_gates.withdraw(change, place)
        change.move(place, "deny", reason="input_missing", error=str(error), finished_at=change.now)
        change.audited("step.denied", step=change.image.steps[place].key, reason=str(error))
        return False
    approval = agent_gates.gate_of(change.image.steps[place])
    if verdict.verdict == "deny" and not overriding.holds(change, place, verdict, approval):
        agent_gates.withdraw(change, place)
        promoting.deny(change, place, verdict)
        return False
    if verdict.verdict in gates.ASKS or approval is not None:
        return _consume(change, place, verdict, approval)
    return True


def _consume(change: Change, place: int, verdict: Verdict, approval: Approval | None) -> bool:
    step = change.image.steps[place]
    facts = overriding.facts_for(approval, gates.facts_of(change, place, verdict))
    if approval is not None and approval.state == "consumed" and _covers_retry(step, approval, facts):
        return True
    reason = _why_not(change, approval, gates.digest_of(facts))
    if approval is not None and not reason:
        approval.consume()
        approval.consumed_at = change.now
        approval.save(update_fields=["state", "consumed_at"])
        change.event("approval.consumed", step.key, {"approval": str(approval.pk)})
        change.audited("approval.consumed", step=step.key, payload_digest=approval.digest)
        return True
    if approval is not None:
        gates.supersede(change, place, approval)
    changed = gates.differences(approval.facts, facts) if approval is not None else []
    gates.ask(change, place, arrow="lapse", verdict=verdict, reason="approval_lapsed" if approval else "policy")
    change.event("approval.lapsed", step.key, {"why": reason, "changed": changed[:20]})
    return False


def _why_not(change: Change, approval: Any, digest: str) -> str:
    if approval is None:
        return "The rules ask for an approval now."
    if approval.state == "consumed":
        return "It starts again, and what would run, the rules or those who approved are not what they were."
    if approval.state != "approved":
        return f"The approval is {approval.get_state_display().lower()}."
    if approval.digest != digest:
        return "What would run is not what was approved."
    if approval.expires_at is not None and approval.expires_at <= change.now:
        return "The approval is past its time."
    if not approvals.is_satisfied(approval):
        return "Somebody who approved may no longer decide."
    return ""


def _covers_retry(step: StepRun, approval: Approval, facts: Mapping[str, Any]) -> bool:
    """One approval covers the automatic retries that its digest names, an agent that goes on, and a start that
    never began anything, as long as rules and approvers are those of the decision. What the attempt before left in
    the workspace is no change of what was approved. A manual retry has none: it takes the approval off the step."""
    as_then = {**facts, "workspace": approval.facts.get("workspace")}
    is_same = step.digest == approval.digest == gates.digest_of(as_then)
    return is_same and approvals.is_satisfied(approval)


def _start(change: Change, place: int, owner: str) -> Assignment:
    step, definition = change.image.steps[place], filled_definition(change.image, place)
    attempt_id = uuid.uuid4()
    number, token = step.attempt + 1, step.token + 1
    carried = checkpoints.carried(step.pk, definition, before=token)
    checkpoints.hand_over(step.pk, carried)
    change.insert(ExecutionRun, _attempt_row(change, place, attempt_id, definition, owner, carried))
    change.move(
        place,
        "start",
        attempt=number,
        token=token,
        execution_run_id=attempt_id,
        started_at=change.now,
        finished_at=None,
        due_at=None,
        error="",
        exit_code=None,
        data={"attempt": number, "execution_run": str(attempt_id), **_profile_told(change, definition)},
    )
    used = usage.of_checkpoint(carried)
    return assignment(change, place, attempt_id, definition, checkpoint=carried, usage_before=used)


def _profile_told(change: Change, definition: Mapping[str, Any]) -> dict[str, Any]:
    """What the profile gave at this start; by tomorrow an admin may have changed it."""
    if not definition.get("env_profile"):
        return {}
    names = environments.profile_names(definition, change.run.project_id)
    return {"env_profile": definition["env_profile"], "profile_names": names}


def assignment(
    change: Change, place: int, attempt_id: uuid.UUID, definition: Mapping[str, Any], **taken_up: Any
) -> Assignment:
    run, step = change.run, change.image.steps[place]
    needs_scope = definition["type"] == "validation"
    begun_in = taken_up.pop("sandbox", "")
    return Assignment(
        run_id=run.pk,
        run_number=run.number,
        project_id=run.project_id,
        project=run.project.slug,
        feature=run.feature.slug,
        step_run_id=step.pk,
        step_key=step.key,
        attempt_id=attempt_id,
        attempt=step.attempt,
        token=step.token,
        definition=definition,
        scope=scope(change.image, list(range(len(change.image.steps))) if needs_scope else []),
        workspace_kind=run.workspace_kind,
        workspace_path=run.workspace_path,
        base_commit=run.base_commit,
        workspace_commit=run.workspace_commit,
        workspace_tree=run.workspace_tree,
        workspace_head=run.workspace_head,
        branch=run.branch,
        restore=run.restore_pending,
        folder=change.folder,
        sandbox=boundary.stricter(begun_in, _boundary(change)),
        shares_workspace=change.image.states.counts["running"] > 1,
        plan={"budget": change.image.plan.header.get("budget"), "env": change.image.plan.header.get("env", {})},
        **taken_up,
    )


def _boundary(change: Change) -> str:
    return boundary.wanted(change.run.project, change.rules_revision)


def _attempt_row(
    change: Change,
    place: int,
    attempt_id: uuid.UUID,
    definition: Mapping[str, Any],
    owner: str,
    carried: Mapping[str, Any] | None,
) -> dict[str, Any]:
    step = change.image.steps[place]
    return {
        "id": attempt_id,
        "step_run_id": step.pk,
        "run_id": change.run.pk,
        "number": step.attempt + 1,
        "token": step.token + 1,
        "provider": definition.get("provider", ""),
        "model": definition.get("model") or "",
        "outcome": "",
        "reason": "",
        "error": "",
        "owner": owner,
        "lease_expires_at": change.now + LEASE,
        "handle": (carried or {}).get("handle"),
        "checkpoint": None,
        "digest": step.digest,
        "rules_version": step.verdict.get("rules_version", ""),
        "cwd": definition.get("cwd") or "",
        "env_names": sorted(definition.get("env", {})),
        "sandbox": _boundary(change) if step_facts.runs_code(definition) else "",
        "commit_before": change.run.workspace_commit,
        "tree_before": change.run.workspace_tree,
        "tree_after": "",
        "started_at": change.now,
        "finished_at": None,
        "exit_code": None,
        "log_state": {},
        "log_size": 0,
        "log_lines": 0,
        "checks": [],
        "usage": {},
        "extension": {},
        "sync_status": "in_sync",
        "sync_error": "",
        "last_reconciled_at": None,
    }
