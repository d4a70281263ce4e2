"""Decisions in the middle of an agent's work: about one tool call, or about more budget.

The host asks for permits, finishing puts the step behind what is open, deciding lets it go on. A decision about a
part of a step never stands for the whole step, nor the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import models

from orchestration.engine import budgets, gates
from orchestration.engine.change import Change
from orchestration.executors.base import Outcome, Permission, ToolCall
from orchestration.models import StepRun
from policy import approvals, canonical, risk
from policy.models import Approval
from policy.models.approvals import ApprovalKind, ApprovalState, Level
from policy.risk import Verdict

CALL_DOMAIN = "ccdash-tool-call-v1"
SHOWN = 200
# Skips, replans, budgets and changed files are other questions.
OF_THE_START = models.Q(kind=ApprovalKind.POLICY) | models.Q(kind=ApprovalKind.OVERRIDE, facts__has_key="override")
OPEN = (ApprovalState.PENDING, ApprovalState.APPROVED)


@dataclass(frozen=True)
class Asking:
    """What one request for a decision is about."""

    kind: str
    title: str
    facts: Mapping[str, Any]
    risk: str
    reasons: list[dict[str, str]]
    level: str = Level.NORMAL
    approvers: tuple[str, ...] = ()
    rules_version: str = ""
    call_id: str = ""


def is_part(approval: Approval) -> bool:
    """Whether this decides about a part of an agent's work, not about the start of the step."""
    return bool(approval.call_id) or approval.kind == ApprovalKind.BUDGET


def gate_of(step: StepRun) -> Approval | None:
    """The decision about the step as a whole; behind it lie those about its parts."""
    if step.approval is None or not is_part(step.approval):
        return step.approval
    wanted = _requests(step).filter(OF_THE_START, call_id="")
    return wanted.filter(state=ApprovalState.CONSUMED).order_by("-consumed_at").first()


def calls_asked_about(step_run_id: int) -> set[str]:
    found = Approval.objects.filter(subject=f"step:{step_run_id}").exclude(call_id="")
    return set(found.values_list("call_id", flat=True))


def judge(change: Change, definition: Mapping[str, Any], call: ToolCall) -> Verdict:
    context = gates.context_for(change.run.project, change.run.feature.slug, change.rules_revision, here=True)
    return risk.evaluate_tool_call(risk.ToolCall(call.name, call.arguments), definition, context)


def permit(change: Change, step_key: str, definition: Mapping[str, Any], call: ToolCall) -> Permission:
    """May this call be made? Asked again for the same call, the answer is the same until somebody decides."""
    place = change.step(step_key)
    step = change.image.steps[place]
    verdict = judge(change, definition, call)
    facts = _call_facts(change, step, definition, call, verdict)
    digest = canonical.digest(CALL_DOMAIN, facts)
    asked = _own(step, _requests(step).filter(call_id=call.id).order_by("-requested_at").first())
    if asked is not None and asked.state == ApprovalState.REJECTED:
        return Permission("refused", f"a person said no: {_words_of_refusal(asked)}")
    if verdict.verdict == "deny":
        return _deny(change, step, call, verdict)
    if asked is not None and asked.digest == digest and asked.state in (*OPEN, ApprovalState.CONSUMED):
        return _as_decided(change, place, asked, facts, verdict)
    if asked is not None:
        gates.supersede(change, place, asked)
    if verdict.verdict not in gates.ASKS:
        return Permission("allowed")
    return _ask_for_call(change, place, call, facts, verdict)


def block(change: Change, place: int, outcome: Outcome, **columns: Any) -> bool:
    """Put a step that ended at a checkpoint behind its open requests; False where there is nothing to wait for."""
    waiting = _ask_for_budget(change, place, outcome) if outcome.reason == "budget" else _pending(change, place)
    if not waiting:
        return False
    change.move(
        place,
        "checkpoint",
        reason="budget" if outcome.reason == "budget" else "policy",
        approval_id=waiting[0].pk,
        data={"approval": str(waiting[0].pk), "waiting": len(waiting), "message": outcome.error[:1000]},
        **columns,
    )
    change.image.steps[place].approval = waiting[0]
    return True


def approved(change: Change, place: int, approval: Approval) -> None:
    """Enough people said yes to a part: more budget counts at once, a call when it is made."""
    if approval.kind == ApprovalKind.BUDGET:
        asked = approval.facts["budget"]
        budgets.extend(change.run, change.image.steps[place].pk, approval.pk, asked, change.now)
        consume(change, place, approval)
    _go_on(change, place)


def rejected(change: Change, place: int, approval: Approval, reason: str) -> None:
    """A refused call goes back to the agent as an answer; refused budget is the end of the step."""
    if approval.kind == ApprovalKind.BUDGET:
        change.move(
            place, "rejected", "failed", reason="budget", error=f"More budget was refused: {reason}"[:4000],
            finished_at=change.now,
        )  # fmt: skip
        withdraw_parts(change, place)
        return
    _go_on(change, place)


def withdraw(change: Change, place: int) -> None:
    """The step goes another way: nothing that was asked for it waits or counts any more."""
    step = change.image.steps[place]
    if step.approval is not None:
        gates.supersede(change, place, step.approval)
    withdraw_parts(change, place)


def withdraw_parts(change: Change, place: int) -> None:
    step = change.image.steps[place]
    if step.type != "sdk":
        return
    for approval in _requests(step).filter(state__in=OPEN):
        gates.supersede(change, place, _own(step, approval))


def consume(change: Change, place: int, approval: Approval) -> None:
    key = change.image.steps[place].key
    approval.consume()
    approval.consumed_at = change.now
    approval.save(update_fields=["state", "consumed_at"])
    told = {"approval": str(approval.pk), "kind": approval.kind, "call_id": approval.call_id}
    change.event("approval.consumed", key, told)
    change.audited("approval.consumed", step=key, payload_digest=approval.digest)


def _go_on(change: Change, place: int) -> None:
    """To the next open request, or back to work when none is left."""
    waiting = _pending(change, place)
    if waiting:
        change.set(place, approval_id=waiting[0].pk)
        change.image.steps[place].approval = waiting[0]
    else:
        change.move(place, "approved")


def _as_decided(change: Change, place: int, asked: Approval, facts: Mapping[str, Any], verdict: Verdict) -> Permission:
    if asked.state == ApprovalState.CONSUMED:
        return Permission("allowed")
    if asked.state == ApprovalState.PENDING:
        return Permission("pending", approval_id=str(asked.pk))
    if approvals.is_satisfied(asked):
        consume(change, place, asked)
        return Permission("allowed")
    # Somebody who approved may no longer decide.
    gates.supersede(change, place, asked)
    return _ask_for_call(change, place, ToolCall("", {}, asked.call_id), facts, verdict)


def _ask_for_call(change: Change, place: int, call: ToolCall, facts: Mapping[str, Any], verdict: Verdict) -> Permission:
    made = facts["call"]
    what = str(made["arguments"].get("command") or made["arguments"].get("path") or "")
    asking = Asking(
        kind=ApprovalKind.POLICY,
        title=f"{made['name']} {what}".strip()[:SHOWN],
        facts=facts,
        risk=verdict.risk,
        reasons=gates.verdict_data(verdict)["reasons"],
        level=gates.level_of(verdict),
        approvers=verdict.approvers,
        rules_version=verdict.rules_version,
        call_id=call.id,
    )
    return Permission("pending", approval_id=str(_ask(change, place, asking, CALL_DOMAIN).pk))


def _ask_for_budget(change: Change, place: int, outcome: Outcome) -> list[Approval]:
    asked = outcome.extension.get("budget")
    if not asked:
        return []
    step, run = change.image.steps[place], change.run
    facts = {
        "schema": 1, "project": run.project.slug, "run": str(run.pk), "step_key": step.key, "token": step.token,
        "budget": asked,
    }  # fmt: skip
    more = budgets.amount(Decimal(asked["more"]), asked["unit"])
    sentence = f"{asked['sentence']} Approving adds {more}."
    if asked.get("unpriced"):
        sentence = f"{asked['sentence']} Approving lets the step go on without this limit."
    reasons = [{"code": "budget", "message": sentence, "rule": "budget"}]
    asking = Asking(ApprovalKind.BUDGET, f"More budget for {step.key}", facts, "medium", reasons)
    return [_ask(change, place, asking, gates.DIGEST_DOMAIN)]


def _ask(change: Change, place: int, asking: Asking, domain: str) -> Approval:
    step, run = change.image.steps[place], change.run
    approval = Approval.objects.create(
        project=run.project,
        subject=f"step:{step.pk}",
        call_id=asking.call_id,
        title=f"{asking.title} ({run.project.slug} #{run.number})",
        kind=asking.kind,
        level=asking.level,
        digest=canonical.digest(domain, asking.facts),
        facts=asking.facts,
        risk=asking.risk,
        reasons=asking.reasons,
        rules_version=asking.rules_version,
        approvers=list(asking.approvers or gates.DEFAULT_APPROVERS),
        excluded=gates.excluded(run),
        requested_at=change.now,
        requested_by_id=run.created_by_id,
    )
    told = {**gates.requested(approval), "call_id": approval.call_id}
    change.event("approval.requested", step.key, told)
    return approval


def _deny(change: Change, step: StepRun, call: ToolCall, verdict: Verdict) -> Permission:
    why = " ".join(reason.message for reason in verdict.reasons) or "the rules forbid this call"
    told = {"call_id": call.id, "name": call.name[:100], "reason": why}
    change.event("tool_call.denied", step.key, told)
    change.audited("tool_call.refused", step=step.key, reason=why, outcome="refused", after=told)
    return Permission("refused", why)


def _call_facts(
    change: Change, step: StepRun, definition: Mapping[str, Any], call: ToolCall, verdict: Verdict
) -> dict[str, Any]:
    """Everything that decides what this call does; the approval stands for exactly this."""
    return {
        "schema": 1,
        "project": change.run.project.slug,
        "run": str(change.run.pk),
        "step_key": step.key,
        "call": {"id": call.id, "name": call.name, "arguments": dict(call.arguments)},
        "tools": list(definition.get("tools") or ()),
        "network": bool(definition.get("network")),
        "sandbox": verdict.sandbox,
        "risk": verdict.risk,
        "verdict": verdict.verdict,
        "rules_version": verdict.rules_version,
    }


def _words_of_refusal(approval: Approval) -> str:
    said = approval.decisions.filter(decision="reject").order_by("-at").values_list("reason", flat=True).first()
    return str(said or "no reason was given")


def _pending(change: Change, place: int) -> list[Approval]:
    found = _requests(change.image.steps[place]).filter(state=ApprovalState.PENDING).exclude(call_id="")
    return list(found.order_by("requested_at", "call_id"))


def _own(step: StepRun, found: Any) -> Any:
    """The very object that the image holds, where it holds this one: two of them would tell of two states."""
    is_held = found is not None and step.approval is not None and step.approval.pk == found.pk
    return step.approval if is_held else found


def _requests(step: StepRun) -> models.QuerySet[Approval]:
    return Approval.objects.filter(subject=f"step:{step.pk}")
