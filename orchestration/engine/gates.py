"""What policy says of a step, and the request for a decision that follows from it.

The only place that asks policy for a verdict about a run. An approval is bound to a digest over everything that
decides what will happen; the same function computes it when the gate forms and when the step starts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, cast

from orchestration import boundary
from orchestration.engine.change import Change
from orchestration.engine.errors import Unfilled
from orchestration.engine.filling import filled_definition, is_fixed
from orchestration.engine.image import PlanImage
from orchestration.models import WorkflowRun
from policy import approvals, canonical, risk
from policy.models import Approval, Project
from policy.models.approvals import ApprovalKind, Level
from policy.risk import Verdict
from policy.rules import load_rules

DIGEST_DOMAIN = "ccdash-approval-v1"
DEFAULT_APPROVERS = ["role:approver"]
ASKS = frozenset({"require_approval", "require_elevated_approval"})


def context_for(project: Project, feature: str, revision: int, *, here: bool | None = None) -> risk.PolicyContext:
    """`here`: whether code would start in this very process, so that a sandbox which is missing here counts."""
    return risk.PolicyContext(
        project=project.slug,
        feature=feature,
        environment="workspace",
        workspace_root=None,
        rules=load_rules(project, revision),
        sandbox=boundary.found(project, revision, here=here),
    )


def verdict_now(change: Change, place: int, *, here: bool | None = None) -> Verdict:
    """The present rules on what would really run. Raises Unfilled."""
    context = context_for(change.run.project, change.run.feature.slug, change.rules_revision, here=here)
    if not is_fixed(change.image.plan.definitions[place]):
        return risk.evaluate(filled_definition(change.image, place), context)
    return verdict_of_plan(change.image.plan, place, context)


def verdict_of_plan(plan: PlanImage, place: int, context: risk.PolicyContext) -> Verdict:
    """The verdict on a step as the plan has it; worked out once for each version of the rules and each boundary."""
    name = (place, context.rules.version, context.sandbox)
    if name not in plan.verdicts:
        saved = plan.policies[place]
        is_current = (saved.get("rules_version"), saved.get("sandbox")) == name[1:]
        plan.verdicts[name] = _restored(saved) if is_current else _judged(plan, place, context)
    return cast(Verdict, plan.verdicts[name])


def _judged(plan: PlanImage, place: int, context: risk.PolicyContext) -> Verdict:
    """Of a step with a profile this is a forecast: it is judged again, with the profile, when its gate forms."""
    definition, env = plan.definitions[place], plan.header.get("env", {})
    if definition["type"] != "command" or not env:
        return risk.evaluate(definition, context)
    return risk.evaluate({**definition, "env": {**env, **definition.get("env", {})}}, context)


def _restored(saved: Mapping[str, Any]) -> Verdict:
    reasons = tuple(risk.Reason(**reason) for reason in saved["reasons"])
    return Verdict(
        saved["verdict"],
        saved["risk"],
        reasons,
        saved["rules_version"],
        tuple(saved.get("approvers", ())),
        saved["sandbox"],
    )


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.verdict,
        "risk": verdict.risk,
        "reasons": [{"code": r.code, "message": r.message, "rule": r.rule} for r in verdict.reasons],
        "rules_version": verdict.rules_version,
        "approvers": list(verdict.approvers),
        "sandbox": verdict.sandbox,
    }


def spec_of(plan: PlanImage, place: int, context: risk.PolicyContext) -> approvals.ApprovalSpec | None:
    """Which decision this step will ask for under the present rules, if any."""
    definition = plan.definitions[place]
    verdict = verdict_of_plan(plan, place, context)
    if definition["type"] != "approval" and verdict.verdict not in ASKS:
        return None
    wanted = deciders(definition, verdict)
    return approvals.ApprovalSpec(
        approvers=tuple(wanted["approvers"]), quorum=wanted["quorum"], level=level_of(verdict)
    )


def level_of(verdict: Verdict) -> str:
    return Level.ELEVATED if verdict.verdict == "require_elevated_approval" else Level.NORMAL


def without_start(change: Change, place: int) -> tuple[Verdict, dict[str, Any]]:
    """Verdict and facts of a step that is to be left out: what can't be filled in is told as the plan has it."""
    try:
        verdict = verdict_now(change, place)
        return verdict, facts_of(change, place, verdict)
    except Unfilled:
        plan, run = change.image.plan, change.run
        verdict = verdict_of_plan(plan, place, context_for(run.project, run.feature.slug, change.rules_revision))
        return verdict, facts_of(change, place, verdict, plan.definitions[place])


def facts_of(
    change: Change, place: int, verdict: Verdict, definition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Everything that decides what will happen when this step starts; the approval stands for exactly this."""
    run, image = change.run, change.image
    return {
        "schema": 1,
        "project": run.project.slug,
        "run": str(run.pk),
        "generation": run.generation,
        "plan": image.plan.digest,
        "step": filled_definition(image, place) if definition is None else definition,
        "inputs": run.inputs,
        "workspace": {"kind": run.workspace_kind, "base_commit": run.base_commit, "tree": run.workspace_tree},
        "risk": verdict.risk,
        "verdict": verdict.verdict,
        "rules_version": verdict.rules_version,
        "sandbox": boundary.wanted(run.project, change.rules_revision),
    }


def digest_of(facts: Mapping[str, Any]) -> str:
    return canonical.digest(DIGEST_DOMAIN, facts)


def deciders(definition: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """Who is asked about this step, and how many of them: the same for its gate and for stepping round it.

    Whom a rule names, the author of a plan does not replace.
    """
    return {
        "approvers": list(verdict.approvers or definition.get("approvers") or DEFAULT_APPROVERS),
        "quorum": definition.get("quorum", 1),
    }


def ask(change: Change, place: int, *, arrow: str, verdict: Verdict, reason: str) -> Approval:
    """Write the request for a decision and put the step behind it."""
    step = change.image.steps[place]
    approval = _request(change, place, verdict)
    change.move(
        place,
        arrow,
        reason=reason,
        approval_id=approval.pk,
        digest=approval.digest,
        error="",
        risk=approval.risk,
        verdict=verdict_data(verdict),
        data={"approval": str(approval.pk)},
    )
    step.approval = approval
    change.event("approval.requested", step.key, requested(approval))
    return approval


def renew_lapsed(change: Change) -> None:
    """The workspace or the plan moved: requests that tell of the old one are replaced by new ones."""
    for place, state in enumerate(change.image.states):
        if state != "awaiting_approval":
            continue
        step = change.image.steps[place]
        old = step.approval
        if old is None or old.kind not in (ApprovalKind.CHECKPOINT, ApprovalKind.POLICY) or old.call_id:
            continue
        if not _is_as_asked(change, place, old):
            supersede(change, place, old)
            ask_again(change, place)


def _is_as_asked(change: Change, place: int, approval: Approval) -> bool:
    """What can't be filled in any more can't be asked anew, either: the step fails with that when it would start."""
    try:
        return digest_of(facts_of(change, place, verdict_now(change, place))) == approval.digest
    except Unfilled:
        return True


def can_ask_again(change: Change, place: int) -> bool:
    """Whether the step waits behind a request whose time is over."""
    approval = change.image.steps[place].approval
    return change.image.states[place] == "awaiting_approval" and approval is not None and approval.state == "expired"


def ask_again(change: Change, place: int) -> None:
    """A new request on what would run now, in place of the expired one."""
    verdict = verdict_now(change, place)
    approval = _request(change, place, verdict)
    change.set(place, approval_id=approval.pk, digest=approval.digest, verdict=verdict_data(verdict))
    change.image.steps[place].approval = approval
    if change.image.steps[place].state_reason == "approval_expired":
        change.set(place, state_reason="approval" if approval.kind == ApprovalKind.CHECKPOINT else "policy")
    change.event("approval.requested", change.image.steps[place].key, requested(approval))


def supersede(change: Change, place: int, approval: Approval) -> None:
    if approval.state not in ("pending", "approved"):
        return
    approval.supersede()
    approval.save(update_fields=["state"])
    change.event("approval.superseded", change.image.steps[place].key, {"approval": str(approval.pk)})
    change.audited("approval.superseded", step=change.image.steps[place].key, payload_digest=approval.digest)


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[dict[str, Any]]:
    """What changed between two sets of facts, as path, before and after."""
    found: list[dict[str, Any]] = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        here = f"{path}.{name}" if path else name
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, here)
        elif before != after:
            found.append({"path": here, "before": before, "after": after})
    return found


def _request(change: Change, place: int, verdict: Verdict) -> Approval:
    definition = change.image.plan.definitions[place]
    step = change.image.steps[place]
    is_checkpoint = definition["type"] == "approval"
    facts = facts_of(change, place, verdict)
    expires = definition.get("expires_after_seconds")
    return Approval.objects.create(
        project=change.run.project,
        subject=f"step:{step.pk}",
        title=f"{definition['name']} ({change.run.project.slug} #{change.run.number})",
        kind=ApprovalKind.CHECKPOINT if is_checkpoint else ApprovalKind.POLICY,
        level=level_of(verdict),
        digest=digest_of(facts),
        facts=facts,
        risk=verdict.risk,
        reasons=verdict_data(verdict)["reasons"],
        rules_version=verdict.rules_version,
        **deciders(definition, verdict),
        excluded=excluded(change.run),
        requested_at=change.now,
        requested_by_id=change.run.created_by_id,
        expires_at=change.now + timedelta(seconds=expires) if expires else None,
    )


def excluded(run: WorkflowRun) -> list[int]:
    """Who asked for this run: launcher, last editor of the plan, whoever replanned it."""
    return sorted({run.created_by_id, *run.authors})


def keep_out(change: Change, keys: Collection[str]) -> None:
    """Whoever has a hand in the plan now decides nothing that is still open in these steps of it."""
    steps = [step for step in change.image.steps if step.key in keys]
    held = {step.approval.pk: step.approval for step in steps if step.approval is not None}
    subjects = [f"step:{step.pk}" for step in steps]
    for found in Approval.objects.filter(subject__in=subjects, state__in=("pending", "approved")):
        # The image's own, where it holds this one: the next decision is held against that.
        approval = held.get(found.pk, found)
        approval.excluded = sorted({*approval.excluded, *excluded(change.run)})
        approval.save(update_fields=["excluded"])


def requested(approval: Approval) -> dict[str, Any]:
    return {
        "approval": str(approval.pk),
        "kind": approval.kind,
        "risk": approval.risk,
        "digest": approval.digest,
        "quorum": approval.quorum,
        "approvers": approval.approvers,
    }
