"""A new plan for what has not started: steps that have are kept as they are, the rest is replaced.

The new plan is the next version of the workflow, so the report shows both. Nothing may be executing, so that no
result arrives for a plan that is gone. Where it touches a checkpoint or a risky step, somebody else has to agree first.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User

from orchestration import plan_rules
from orchestration.engine import agent_gates, gates, impact, launching, planning, weakening
from orchestration.engine.actions import allowed_actions
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.errors import InvalidInput, Unlaunchable, WrongState
from orchestration.engine.image import plan_image
from orchestration.models import StepRun, WorkflowRun
from orchestration.schema import InvalidPlan, Plan
from policy import access, approvals
from policy.actors import Actor
from policy.errors import PolicyError
from policy.models import Approval
from policy.models.approvals import ApprovalKind, Level

UNTOUCHED = ("pending", "awaiting_approval", "ready")


def replan_run(
    run_id: uuid.UUID, steps: Sequence[Mapping[str, Any]], *, reason: str, by: Actor, impact_digest: str = ""
) -> WorkflowRun:
    """Replace the steps that have not started; where that weakens a guard, ask an approver, and do it on their word.

    Raises InvalidPlan, InvalidInput, WrongState, Unlaunchable.
    """
    if not reason.strip():
        raise InvalidInput([("reason", "Say why; the reason goes into the audit log.")])

    def body(change: Change) -> WorkflowRun:
        access.require(by, access.Permission.LAUNCH, change.run.project)
        _allow(change)
        impact.check(change, "replan", "", impact_digest)
        plan = checked_plan(change, steps)
        weaker = weakened(change, plan)
        place = _first_open(change)
        if weaker and place is not None:
            _ask(change, place, plan, weaker, reason, by)
        else:
            _replace(change, plan, by, reason)
        return change.run

    return change_run(run_id, by, body)


def checked_plan(change: Change, steps: Sequence[Mapping[str, Any]]) -> Plan:
    """The run's plan with these steps in it. Raises InvalidPlan, and InvalidInput where one that started differs."""
    plan = plan_rules.validate_plan({**change.run.version.plan, "steps": _with_kept(change, steps)})
    _check_kept(change, plan)
    return plan


def weakened(change: Change, plan: Plan) -> list[dict[str, str]]:
    """Why this replan needs an approval of its own; empty where it needs none."""
    previews = planning.preview(plan, change.run.project)
    risks = [preview.verdict.risk for preview in previews]
    definitions = [preview.definition for preview in previews]
    return weakening.reasons(change.image.plan, kept_keys(change), definitions, plan_rules.needs_of(plan), risks)


def approved(change: Change, place: int, approval: Approval) -> None:
    """Enough people agreed: the plan is replaced, if the run still stands where it stood when they were asked."""
    _allow(change)
    asked = approval.facts["replan"]
    if sorted(kept_keys(change)) != asked["kept"] or change.image.plan.digest != approval.facts["plan"]:
        raise WrongState(
            "The run has gone on since this was asked; reject it and replan again.", state=change.run.state
        )
    approval.consume()
    approval.consumed_at = change.now
    approval.save(update_fields=["state", "consumed_at"])
    change.event("run.replan_approved", change.image.steps[place].key, {"approval": str(approval.pk)})
    change.audited("run.replan_approved", reason=asked["reason"], payload_digest=approval.digest)
    _replace_as_asked(change, asked)


def _replace_as_asked(change: Change, asked: Mapping[str, Any]) -> None:
    """What could be done when it was asked may be forbidden or impossible by now."""
    by = Actor.for_command(User.objects.get(pk=asked["by"]))
    try:
        access.require(by, access.Permission.LAUNCH, change.run.project)
        plan = plan_rules.validate_plan({**change.run.version.plan, "steps": asked["steps"]})
        _replace(change, plan, by, asked["reason"])
    except PolicyError:
        raise WrongState(
            f"{by.name}, who asked for this, may not replan here any more; reject it.", state=change.run.state
        ) from None
    except (InvalidPlan, Unlaunchable) as why:
        raise WrongState(f"This can't be done any more; reject it. {why}", state=change.run.state) from why


def rejected(change: Change, place: int) -> None:
    """The plan stays; the step that carried the request forms its own gate afresh."""
    change.move(place, "recheck", reason="replan_refused", approval_id=None, digest="")
    change.image.steps[place].approval = None


def _first_open(change: Change) -> int | None:
    kept = kept_keys(change)
    return next((place for place, key in enumerate(change.image.plan.keys) if key not in kept), None)


def _ask(change: Change, place: int, plan: Plan, weaker: list[dict[str, str]], reason: str, by: Actor) -> None:
    """The request hangs on the first step that would be replaced; a second one takes the place of the first."""
    run, step = change.run, change.image.steps[place]
    excluded = sorted({*gates.excluded(run), *([by.user_id] if by.user_id else [])})
    if approvals.missing_eligible(approvals.ApprovalSpec(level=Level.ELEVATED), run.project, excluded):
        raise Unlaunchable(
            "This replan needs an approval, and nobody is there who may give it: add an approver to the project.",
            code="no_eligible_approver",
        )
    agent_gates.withdraw(change, place)
    facts = {
        "schema": 1, "project": run.project.slug, "run": str(run.pk), "generation": run.generation,
        "plan": change.image.plan.digest,
        "replan": {
            "steps": plan.as_data()["steps"], "reason": reason, "by": planning.person(by),
            "kept": sorted(kept_keys(change)),
        },
    }  # fmt: skip
    approval = Approval.objects.create(
        project=run.project,
        subject=f"step:{step.pk}",
        title=f"Replan ({run.project.slug} #{run.number})",
        kind=ApprovalKind.REPLAN,
        level=Level.ELEVATED,
        digest=gates.digest_of(facts),
        facts=facts,
        risk=step.risk,
        reasons=weaker[:50],
        approvers=gates.DEFAULT_APPROVERS,
        excluded=excluded,
        requested_at=change.now,
        requested_by_id=by.user_id,
    )
    change.move(place, "ask_replan", reason="replan_asked", approval_id=approval.pk, digest=approval.digest,
                data={"approval": str(approval.pk), "asked_reason": reason})  # fmt: skip
    step.approval = approval
    change.audited("run.replan_asked", reason=reason, payload_digest=approval.digest)
    change.event("approval.requested", step.key, gates.requested(approval))


def _allow(change: Change) -> None:
    actions = allowed_actions(change.run, change.image.states)
    if "replan" not in actions:
        raise WrongState(
            "The plan can't be changed now: the run is over, or a step is executing. Pause first and let it finish.",
            state=change.run.state,
            allowed_actions=actions,
        )


def kept_keys(change: Change) -> set[str]:
    """What has started, and so stands as it is."""
    return {
        step.key
        for step, state in zip(change.image.steps, change.image.states, strict=True)
        if state not in UNTOUCHED or step.attempt > 0
    }


def _with_kept(change: Change, steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What has started and isn't named stands before what is new. Where needs are named, its own are, too."""
    plan, kept, named = change.image.plan, kept_keys(change), {step.get("key") for step in steps}
    left_out = [place for place, key in enumerate(plan.keys) if key in kept and key not in named]
    definitions = [dict(plan.definitions[place]) for place in left_out]
    if any(step.get("needs") is not None for step in (*definitions, *steps)):
        for place, definition in zip(left_out, definitions, strict=True):
            definition["needs"] = [plan.keys[other] for other in plan.graph.needs[place]]
    return [*definitions, *steps]


def _check_kept(change: Change, plan: Plan) -> None:
    """A step that has started must stand in the new plan exactly as it is."""
    new = {step["key"]: step for step in plan.as_data()["steps"]}
    image, faults = change.image, []
    new_needs = _needs_by_key(plan)
    old_needs = {
        key: {image.plan.keys[other] for other in image.plan.graph.needs[place]}
        for place, key in enumerate(image.plan.keys)
    }
    for key in sorted(kept_keys(change)):
        old = image.plan.definitions[image.plan.place[key]]
        if _without_needs(new[key]) != _without_needs(old) or new_needs[key] != old_needs[key]:
            faults.append((f"steps.{key}", f"Step {key!r} has started already, so it can't be changed."))
    if faults:
        raise InvalidInput(faults)


def _needs_by_key(plan: Plan) -> dict[str, set[str]]:
    keys = [str(step.key) for step in plan.steps]
    return {key: {keys[other] for other in needed} for key, needed in zip(keys, plan_rules.needs_of(plan), strict=True)}


def _without_needs(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in definition.items() if name != "needs"}


def _replace(change: Change, plan: Plan, by: Actor, reason: str) -> None:
    run, image = change.run, change.image
    kept = kept_keys(change)
    before = run.version
    version = planning.write_replanned(run.workflow, plan, by=by, parent=before)
    authors = sorted({*run.authors, *([by.user_id] if by.user_id else [])})
    launching.check_gates(run.project, plan_image(version.pk), authors=[run.created_by_id, *authors])
    for place, key in enumerate(image.plan.keys):
        if key not in kept:
            _supersede(change, place)
    change.flush_steps()
    _swap(change, version, kept)
    change.set_run(version_id=version.pk, generation=run.generation + 1, authors=authors)
    gates.keep_out(change, kept)
    change.event(
        "run.replanned",
        "",
        {
            "version": version.number,
            "before": before.number,
            "plan": version.digest,
            "kept": sorted(kept),
            "steps": [
                {"key": step.key, "state": state}
                for step, state in zip(change.image.steps, change.image.states, strict=True)
            ],
            "reason": reason,
        },
    )
    change.audited(
        "run.replanned",
        reason=reason,
        before={"plan": before.digest},
        after={"plan": version.digest},
        payload_digest=version.digest,
    )
    change.settled.update(range(len(change.image.states)))


def _supersede(change: Change, place: int) -> None:
    agent_gates.withdraw(change, place)
    change.move(place, "supersede", reason="replanned", finished_at=change.now)


def _swap(change: Change, version: Any, kept: set[str]) -> None:
    """From here on the image is of the new plan: kept step runs in their new places, new ones beside them."""
    run, old, plan = change.run, change.image, plan_image(version.pk)
    steps: list[StepRun] = []
    for place, key in enumerate(plan.keys):
        if key in kept:
            step = old.steps[old.plan.place[key]]
            step.step_index, step.generation = place, run.generation + 1
            step.save(update_fields=["step_index", "generation"])
        else:
            step = StepRun.objects.create(
                run=run,
                step_id=plan.step_ids[place],
                step_index=place,
                key=key,
                type=plan.definitions[place]["type"],
                generation=run.generation + 1,
            )
        steps.append(step)
    run.version = version
    change.use_plan(plan, steps)
