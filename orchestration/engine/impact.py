"""What an action would do, told before it is done: the same rules as the action, read only.

The sheet's digest covers what decides the effect, not the estimates; an action that carries it is refused when the
world has changed since.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.engine import drift, gates
from orchestration.engine.actions import allowed_actions, step_actions
from orchestration.engine.change import Change
from orchestration.engine.errors import Changed, InvalidInput, Unfilled, WrongState
from orchestration.engine.readers import readers_of
from orchestration.models import StepRun
from policy import canonical

ACTIONS = ("retry-step", "skip-step", "resume", "replan", "cancel")
OF_A_STEP = ("retry-step", "skip-step")
LISTS = ("runs_again", "reused", "approvals_lapsing", "repeats_once_effects", "approvals_needed")


def sheet(change: Change, action: str, step_key: str) -> dict[str, Any]:
    """The impact sheet of an action. Raises InvalidInput, NotFound, and WrongState where it would be refused, too."""
    if action not in ACTIONS:
        raise InvalidInput([("action", f"The action must be one of {', '.join(ACTIONS)}.")])
    _require(change, action, step_key)
    return _told(change, action, step_key)


def _require(change: Change, action: str, step_key: str) -> None:
    allowed = allowed_actions(change.run, change.image.states)
    if action in OF_A_STEP:
        step = change.image.steps[change.step(step_key)]
        if action not in step_actions(change.run, step.state, step.type, step.state_reason):
            raise WrongState(
                f"{action} can't be done with step {step_key!r} now: {step.get_state_display().lower()}.",
                state=change.run.state,
                allowed_actions=allowed,
            )
    elif action not in allowed:
        raise WrongState(
            f"The run is {change.run.get_state_display().lower()}; it can't {action} now.",
            state=change.run.state,
            allowed_actions=allowed,
        )


def _told(change: Change, action: str, step_key: str) -> dict[str, Any]:
    again = _again(change, action, step_key)
    after = _after(change, action, again, step_key)
    found = {
        "runs_again": _keys(change, again),
        "reused": _keys(change, _in(change, "succeeded", "skipped")),
        "approvals_lapsing": _keys(change, _lapsing(change, action, again, step_key)),
        "repeats_once_effects": _keys(change, [place for place in again if _repeats_once(change, place)]),
        "approvals_needed": _keys(change, [place for place in [*again, *after] if _asks(change, place)]),
    }
    todo = [] if action == "cancel" else [*again, *after]
    return {
        **found,
        "outputs_read": outputs_read(change, step_key) if action == "skip-step" else [],
        "files_changed_outside": drift.files_of(change, step_key) if action in ("retry-step", "resume") else [],
        "expected_seconds": _expected_seconds(change, todo),
        "expected_cost_usd": _expected_cost(change, todo),
        "digest": canonical.digest(
            "ccdash-impact-v1",
            {
                "action": action,
                "step": step_key,
                "states": change.image.states,
                "plan": change.image.plan.digest,
                **found,
            },
        ),
    }


def outputs_read(change: Change, step_key: str) -> list[dict[str, Any]]:
    """What steps that are still to come read of this one, and fail without."""
    found = readers_of(change.image, change.step(step_key))
    return [{"name": name, "read_by": keys} for name, keys in found.items()]


def check(change: Change, action: str, step_key: str, digest: str) -> None:
    """Refuse an action whose sheet is no longer true. No digest: nothing was promised."""
    if digest and _told(change, action, step_key)["digest"] != digest:
        raise Changed(
            "The run has changed since you looked at what this would do; look again and confirm.",
            state=change.run.state,
            allowed_actions=allowed_actions(change.run, change.image.states),
        )


def _again(change: Change, action: str, step_key: str) -> list[int]:
    if action == "retry-step":
        return [change.step(step_key)]
    if action == "resume":
        return [p for p in _in(change, "interrupted") if not step_key or change.image.steps[p].key == step_key]
    return []


def _after(change: Change, action: str, again: Sequence[int], step_key: str) -> list[int]:
    """What would follow: steps that have not run yet."""
    left_out = {change.step(step_key)} if action == "skip-step" else set(again)
    return [place for place in _in(change, "pending", "ready", "awaiting_approval") if place not in left_out]


def _lapsing(change: Change, action: str, again: Sequence[int], step_key: str) -> list[int]:
    places = range(len(change.image.states)) if action in ("cancel", "replan") else again
    if action == "skip-step":
        places = [change.step(step_key)]
    return [place for place in places if _has_open_approval(change, place)]


def _has_open_approval(change: Change, place: int) -> bool:
    approval = change.image.steps[place].approval
    return approval is not None and approval.state in ("pending", "approved")


def _repeats_once(change: Change, place: int) -> bool:
    definition = change.image.plan.definitions[place]
    return definition.get("effects") == "once" and change.image.steps[place].attempt > 0


def _asks(change: Change, place: int) -> bool:
    definition = change.image.plan.definitions[place]
    if definition["type"] == "approval":
        return True
    try:
        return gates.verdict_now(change, place).verdict in gates.ASKS
    except Unfilled:
        return False


def _in(change: Change, *states: str) -> list[int]:
    return [place for place, state in enumerate(change.image.states) if state in states]


def _keys(change: Change, places: Sequence[int]) -> list[str]:
    return [change.image.plan.keys[place] for place in sorted(places)]


def _expected_seconds(change: Change, places: Sequence[int]) -> float | None:
    """The sum of medians of what these steps took in this workflow's latest runs; None where none ever ran."""
    times = _past(change, places)
    medians = [statistics.median(found) for found in times.values()]
    return round(sum(medians), 3) if medians or not places else None


def _past(change: Change, places: Sequence[int]) -> Mapping[str, list[float]]:
    rows = StepRun.objects.filter(
        run__workflow_id=change.run.workflow_id,
        key__in=_keys(change, places),
        state="succeeded",
        started_at__isnull=False,
    ).order_by("-id")[:500]
    times: dict[str, list[float]] = {}
    for key, start, end in rows.values_list("key", "started_at", "finished_at"):
        if start and end:
            times.setdefault(key, []).append((end - start).total_seconds())
    return times


def _expected_cost(change: Change, places: Sequence[int]) -> float | None:
    """Nothing for steps that cost nothing; unknown (None) as soon as an agent's cost is."""
    has_agent = any(change.image.plan.definitions[place]["type"] == "sdk" for place in places)
    return None if has_agent else 0.0
