"""A run's worktree against what its last step left: a difference blocks until people say which of the two holds.

The worker looks, outside any transaction; here the look is held against the run as it is in that moment. Out of it
leads an accepted override, a restore, or files that agree again. A plain folder has no tree to compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestration.engine import agent_gates, gates
from orchestration.engine.change import Change
from orchestration.engine.errors import WrongState
from orchestration.models import StepRun
from policy.models import Approval
from policy.models.approvals import ApprovalKind, Level

REASON = "workspace_drift"
RISKY = ("high", "critical")
NAMED = 5
Judgement = Literal["same", "unseen", "unsure", "drifted"]


@dataclass(frozen=True)
class LookFirst:
    """Nothing may start before somebody has looked at these files."""

    sequence_no: int
    project_id: int
    path: str
    tree: str
    head: str


@dataclass(frozen=True)
class Look:
    """Files as they were found. `sequence_no` is the moment of the run for which they were looked at."""

    tree: str
    commit: str = ""
    head: str = ""
    sequence_no: int = 0
    problem: str = ""  # why there is no tree: the folder is gone, or git can't read it
    changed: Mapping[str, Any] = field(default_factory=dict)  # files, counts and a shortened patch, for people


def judge(change: Change, place: int, look: Look | None) -> Judgement:
    """Whether the step may start on these files. What other steps do while they run is theirs, and no drift."""
    run = change.run
    if run.workspace_kind != "worktree" or not run.workspace_path or run.restore_pending:
        return "same"
    is_shared = bool(change.image.states.counts["running"])
    if is_shared and change.image.steps[place].approval is None:
        return "same"
    if look is None:
        return "unseen"
    if look.tree == run.workspace_tree and look.head in (run.workspace_head, ""):
        return "same"
    if look.sequence_no != run.last_sequence_no:
        return "unseen"
    # Whose change it is can't be told; what was approved waits until the others have ended.
    return "unsure" if is_shared else "drifted"


def look_first(change: Change) -> LookFirst:
    run = change.run
    return LookFirst(run.last_sequence_no, run.project_id, run.workspace_path, run.workspace_tree, run.workspace_head)


def block(change: Change, look: Look) -> None:
    """All that could start waits behind a decision about the files."""
    run = change.run
    found = {
        "before": {"tree": run.workspace_tree, "commit": run.workspace_commit, "head": run.workspace_head},
        "found": {"tree": look.tree, "commit": look.commit, "head": look.head},
        "problem": look.problem,
        **look.changed,
    }
    told = {name: value for name, value in found.items() if name != "patch"}
    change.event("run.drift_found", "", told)
    change.audited("run.drift_found", before=found["before"], after=found["found"], reason=look.problem)
    for place, state in enumerate(list(change.image.states)):
        if state == "ready":
            _ask(change, place, found)


def is_waiting(step: StepRun) -> bool:
    """Whether the step waits for a decision about the files."""
    approval = step.approval
    return step.state == "awaiting_approval" and approval is not None and "drift" in approval.facts


def accept(change: Change, approval: Approval, reason: str) -> None:
    """The files as they were found are the run's from now on; what was approved on the old ones is asked anew."""
    drift = approval.facts["drift"]
    if drift["problem"]:
        raise WrongState(
            "There are no files to accept; retry the step and restore the workspace instead.", state=change.run.state
        )
    before, found = drift["before"], drift["found"]
    approval.consume()
    approval.consumed_at = change.now
    approval.save(update_fields=["state", "consumed_at"])
    change.set_run(workspace_tree=found["tree"], workspace_commit=found["commit"], workspace_head=found["head"])
    change.event("run.drift_accepted", "", {"approval": str(approval.pk), "tree": found["tree"], "reason": reason})
    change.audited("run.drift_accepted", reason=reason, before=before, after=found, payload_digest=approval.digest)
    release_all(change)


def release_all(change: Change) -> None:
    """The files are settled, or will be looked at again: each step that waited for that forms its own gate afresh."""
    for place, step in enumerate(change.image.steps):
        if is_waiting(step):
            release(change, place)
    gates.renew_lapsed(change)


def release(change: Change, place: int) -> None:
    step = change.image.steps[place]
    agent_gates.withdraw(change, place)
    change.move(place, "recheck", approval_id=None, digest="")
    step.approval = None


def files_of(change: Change, step_key: str) -> list[str]:
    """The first of the files that a waiting decision is about: what a restore would throw away."""
    waiting = [step for step in change.image.steps if is_waiting(step) and step_key in (step.key, "")]
    facts = waiting[0].approval.facts if waiting and waiting[0].approval else {}
    return [str(file["path"]) for file in facts.get("drift", {}).get("files", ())]


def _ask(change: Change, place: int, drift: Mapping[str, Any]) -> None:
    step, run = change.image.steps[place], change.run
    if step.approval is not None:
        gates.supersede(change, place, step.approval)
    facts = {
        "schema": 1,
        "project": run.project.slug,
        "run": str(run.pk),
        "generation": run.generation,
        "plan": change.image.plan.digest,
        "step": change.image.plan.definitions[place],
        "drift": drift,
    }
    approval = Approval.objects.create(
        project=run.project,
        subject=f"step:{step.pk}",
        title=f"Changed files before {step.key} ({run.project.slug} #{run.number})",
        kind=ApprovalKind.OVERRIDE,
        level=Level.ELEVATED if step.risk in RISKY else Level.NORMAL,
        digest=gates.digest_of(facts),
        facts=facts,
        risk=step.risk,
        reasons=[{"code": REASON, "message": _sentence(drift), "rule": "workspace"}],
        approvers=gates.DEFAULT_APPROVERS,
        excluded=gates.excluded(run),
        requested_at=change.now,
        requested_by_id=run.created_by_id,
    )
    change.move(
        place,
        "lapse",
        reason=REASON,
        approval_id=approval.pk,
        digest=approval.digest,
        data={"approval": str(approval.pk)},
    )
    step.approval = approval
    change.event("approval.requested", step.key, gates.requested(approval))


def _sentence(drift: Mapping[str, Any]) -> str:
    if drift["problem"]:
        return f"The run's files can't be read as its last step left them: {drift['problem']}"
    if drift["before"]["tree"] == drift["found"]["tree"]:
        return "The worktree stands on another commit than the run's last step left."
    names = ", ".join(str(file["path"]) for file in drift["files"][:NAMED])
    count, more = drift["count"], " and more" if drift["count"] > NAMED else ""
    files = f"{count} file{'s' if count != 1 else ''}"
    return f"{files} in the worktree changed since the run's last step, and not by it: {names}{more}."[:1000]
