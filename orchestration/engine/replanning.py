"""A new plan for what has not started: steps that have are kept as they are, the rest is replaced.

The new plan is the next version of the workflow, so the report shows both. Nothing may be executing, so that no
result arrives for a plan that is gone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from orchestration import plan_rules
from orchestration.engine import agent_gates, impact, launching, planning
from orchestration.engine.actions import allowed_actions
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.errors import InvalidInput, WrongState
from orchestration.engine.image import plan_image
from orchestration.models import StepRun, WorkflowRun
from orchestration.schema import Plan
from policy import access
from policy.actors import Actor

UNTOUCHED = ("pending", "awaiting_approval", "ready")


def replan_run(
    run_id: uuid.UUID, steps: Sequence[Mapping[str, Any]], *, reason: str, by: Actor, impact_digest: str = ""
) -> WorkflowRun:
    """Replace the steps that have not started. Raises InvalidPlan, InvalidInput, WrongState, Unlaunchable."""
    if not reason.strip():
        raise InvalidInput([("reason", "Say why; the reason goes into the audit log.")])

    def body(change: Change) -> WorkflowRun:
        access.require(by, access.Permission.LAUNCH, change.run.project)
        _allow(change)
        impact.check(change, "replan", "", impact_digest)
        plan = plan_rules.validate_plan({**change.run.version.plan, "steps": _with_kept(change, steps)})
        _check_kept(change, plan)
        _replace(change, plan, by, reason)
        return change.run

    return change_run(run_id, by, body)


def _allow(change: Change) -> None:
    actions = allowed_actions(change.run, change.image.states)
    if "replan" not in actions:
        raise WrongState(
            "The plan can't be changed now: the run is over, or a step is executing. Pause first and let it finish.",
            state=change.run.state,
            allowed_actions=actions,
        )


def _kept_keys(change: Change) -> set[str]:
    return {
        step.key
        for step, state in zip(change.image.steps, change.image.states, strict=True)
        if state not in UNTOUCHED or step.attempt > 0
    }


def _with_kept(change: Change, steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What has started and isn't named stands before what is new. Where needs are named, its own are, too."""
    plan, kept, named = change.image.plan, _kept_keys(change), {step.get("key") for step in steps}
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
    for key in sorted(_kept_keys(change)):
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
    kept = _kept_keys(change)
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
