"""What people decided, and what was done on it: 14 to 17, 30."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestration.invariants.breach import Breach
from orchestration.invariants.facts import ApprovalRow, RunFacts, StepRow
from orchestration.invariants.history import History, Start

ASKS = frozenset({"require_approval", "require_elevated_approval", "deny"})
RISKY = frozenset({"high", "critical"})
OF_A_START = frozenset({"policy", "override"})
SETTLED = frozenset({"succeeded", "failed", "skipped", "canceled", "superseded"})
WereAsking = Callable[[RunFacts, str, Start], bool]


def check(facts: RunFacts, history: History, were_asking: WereAsking) -> Iterator[Breach]:
    steps = {step.key: step for step in facts.steps}
    steps |= {step.key: step for step in facts.current}
    for start in history.starts:
        if start.key in steps:
            yield from _start(facts, steps[start.key], start, were_asking)
    for key, call, name in history.decided_calls:
        approval = facts.approval(name)
        if approval is None or approval.state not in ("approved", "consumed"):
            yield Breach(
                30, f"The agent's call {call[:60]} was made without the approval that it waited for.", facts.run.id, key
            )
    for kind, name in history.deeds:
        yield from _done_on(facts, kind, name)
    for step in facts.current:
        yield from _settled(facts, history, step)
    for step in facts.steps:
        for approval in facts.approvals_of(step):
            yield from _approval(facts, history, step, approval)


def _start(facts: RunFacts, step: StepRow, start: Start, were_asking: WereAsking) -> Iterator[Breach]:
    if not start.is_gated:
        if facts.plan.policies.get(step.key, {}).get("verdict") in ASKS and were_asking(facts, step.key, start):
            yield _of(step, 14, "The step started, the rules asked for an approval, and nobody was asked.")
        return
    approval = facts.approval(start.consumed) if start.consumed else None
    if approval is None:
        yield _of(step, 14, "The step started behind its gate without using up an approval.")
        return
    if approval.subject != f"step:{step.id}":
        yield _of(step, 14, f"The step started on approval {approval.id}, which is for another step.")
    if approval.kind == "skip":
        yield _of(step, 17, f"The step started on approval {approval.id}, which is for leaving it out.")
    elif approval.kind not in OF_A_START:
        yield _of(step, 14, f"The step started on approval {approval.id}, which is for a {approval.kind}.")
    yield from _agrees(facts, step, start, approval)
    yield from _enough(facts, step, approval)


def _done_on(facts: RunFacts, kind: str, name: str) -> Iterator[Breach]:
    """Changed files were accepted, or a plan replaced, by people who were asked for exactly that."""
    approval = facts.approval(name)
    if approval is None or (approval.kind, approval.state) != (kind, "consumed"):
        yield Breach(14, f"The run went on by approval {name[:36]}, which was not used for a {kind}.", facts.run.id)
        return
    step = next((one for one in facts.steps if approval.subject == f"step:{one.id}"), None)
    if step is not None:
        yield from _enough(facts, step, approval)


def _agrees(facts: RunFacts, step: StepRow, start: Start, approval: ApprovalRow) -> Iterator[Breach]:
    attempt = next((one for one in facts.attempts.get(step.id, ()) if str(one.id) == start.attempt), None)
    if attempt is None:
        return
    if (attempt.digest, attempt.rules_version) != (approval.digest, approval.rules_version):
        yield _of(step, 14, f"Attempt {attempt.number} ran something else than approval {approval.id} was for.")
    if approval.consumed_at is not None and approval.consumed_at > attempt.started_at:
        yield _of(step, 14, f"Attempt {attempt.number} began before approval {approval.id} was used.")


def _settled(facts: RunFacts, history: History, step: StepRow) -> Iterator[Breach]:
    if step.type == "approval" and step.state == "succeeded":
        yield from _carried(facts, step, "checkpoint", 14, "The checkpoint is passed")
    if step.key not in history.skipped or step.state != "skipped":
        return
    if history.skipped[step.key]:
        yield from _carried(facts, step, "skip", 17, "The step was left out")
    elif step.type == "approval" or step.risk in RISKY:
        yield _of(step, 17, "A checkpoint or risky step was left out, and no approver was asked.")


def _carried(facts: RunFacts, step: StepRow, kind: str, invariant: int, what: str) -> Iterator[Breach]:
    used = [one for one in facts.approvals_of(step) if one.kind == kind and one.state == "consumed"]
    if not used:
        yield _of(step, invariant, f"{what}, and no approval for that was used.")
    for approval in used[-1:]:
        yield from _enough(facts, step, approval)


def _enough(facts: RunFacts, step: StepRow, approval: ApprovalRow) -> Iterator[Breach]:
    """Different people, on this digest, before it was used."""
    said = facts.decisions.get(approval.id, [])
    held = {
        one.user_id
        for one in said
        if one.decision == "approve"
        and one.digest == approval.digest
        and (approval.consumed_at is None or one.at <= approval.consumed_at)
    }
    if len(held) < approval.quorum:
        yield _of(step, 14, f"Approval {approval.id} needs {approval.quorum} people and was used with {len(held)}.")


def _approval(facts: RunFacts, history: History, step: StepRow, approval: ApprovalRow) -> Iterator[Breach]:
    asked = {facts.run.created_by_id, *(approval.excluded if isinstance(approval.excluded, list) else ())}
    if any(one.user_id in asked for one in facts.decisions.get(approval.id, ())):
        yield _of(step, 15, f"Somebody who had asked for it decided approval {approval.id}.")
    if (approval.state == "consumed") != (approval.consumed_at is not None):
        yield _of(step, 16, f"Approval {approval.id} is {approval.state}, and the time of its use says otherwise.")
    if approval.consumed_at and approval.expires_at and approval.consumed_at > approval.expires_at:
        yield _of(step, 16, f"Approval {approval.id} was used after its time was over.")
    if approval.state == "pending" and step.state in SETTLED:
        yield _of(step, 16, f"Approval {approval.id} still waits for a decision, and the step is {step.state}.")
    if history.consumed[str(approval.id)] > 1:
        yield _of(step, 16, f"Approval {approval.id} was used {history.consumed[str(approval.id)]} times.")


def _of(step: StepRow, invariant: int, message: str) -> Breach:
    return Breach(invariant, message, step.run_id, step.key)
