"""What follows from a change, in the same transaction: steps that open, gates that form, the run's new state.

So nobody ever sees a step whose needs are good and that nobody will start.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestration import graph
from orchestration.engine import gates
from orchestration.engine.change import Change
from orchestration.engine.errors import Unfilled
from orchestration.engine.filling import scope_for
from orchestration.executors.checks import evaluate_expression_check
from orchestration.graph import RunFacts
from orchestration.plan_rules import VARIABLES
from policy import expressions
from policy.risk import Verdict


def recompute(change: Change) -> None:
    """Promote what the change opened, then let the run's state follow."""
    if change.run.is_final:
        return
    promote(change, change.settled)
    _follow(change)


def promote(change: Change, changed: Iterable[int] | None = None) -> None:
    """Open every step whose needs are good now. None looks at all steps. Linear, however many settle at once."""
    if change.run.control == "cancel" or not change.run.admitted:
        return
    image = change.image
    todo = graph.ready_steps(image.plan.graph, image.states, changed)
    while todo:
        for place in todo:
            _open(change, place)
        todo = graph.ready_steps(image.plan.graph, image.states, todo)


def _open(change: Change, place: int) -> None:
    definition = change.image.plan.definitions[place]
    try:
        if not _condition_holds(change, definition):
            change.move(place, "skip_by_condition", reason="condition", finished_at=change.now)
            return
        _admit(change, place, definition)
    except (expressions.ExpressionError, Unfilled) as error:
        change.move(place, "settle", "failed", reason="condition_error", error=str(error), finished_at=change.now)


def _condition_holds(change: Change, definition: dict[str, Any]) -> bool:
    source = definition.get("when")
    if source is None:
        return True
    return expressions.compile_expression(source, VARIABLES).evaluate_bool(scope_for(change.image, source))


def _admit(change: Change, place: int, definition: dict[str, Any]) -> None:
    verdict = gates.verdict_now(change, place)
    if verdict.verdict == "deny":
        deny(change, place, verdict)
    elif definition["type"] == "approval":
        gates.ask(change, place, arrow="gate", verdict=verdict, reason="approval")
    elif verdict.verdict in gates.ASKS:
        gates.ask(change, place, arrow="gate", verdict=verdict, reason="policy")
    elif _settles_at_once(definition):
        _settle(change, place, definition)
    else:
        change.move(place, "open", risk=verdict.risk)


def deny(change: Change, place: int, verdict: Verdict) -> None:
    """The rules forbid it: the step fails, and the audit says which rule."""
    sentence = " ".join(reason.message for reason in verdict.reasons) or "The rules forbid this step."
    key = change.image.steps[place].key
    change.move(
        place,
        "deny",
        reason="policy_denied",
        error=sentence,
        risk=verdict.risk,
        verdict=gates.verdict_data(verdict),
        finished_at=change.now,
    )
    change.audited("step.denied", step=key, reason=sentence, after=gates.verdict_data(verdict))


def _settles_at_once(definition: dict[str, Any]) -> bool:
    return (
        definition["type"] == "validation"
        and all(check["kind"] == "expression" for check in definition["checks"])
        and not definition.get("artifacts")
    )


def _settle(change: Change, place: int, definition: dict[str, Any]) -> None:
    results = [
        evaluate_expression_check(check, scope_for(change.image, check["expression"])) for check in definition["checks"]
    ]
    failed = next((result for result in results if result.required and not result.passed), None)
    checks = [
        {"name": r.name, "kind": r.kind, "passed": r.passed, "required": r.required, "message": r.message}
        for r in results
    ]
    change.move(
        place,
        "settle",
        "failed" if failed else "succeeded",
        reason="validation" if failed else "",
        error=f"{failed.name}: {failed.message}" if failed else "",
        checks=checks,
        attempt=change.image.steps[place].attempt + 1,
        started_at=change.now,
        finished_at=change.now,
    )


def _follow(change: Change) -> None:
    run, image = change.run, change.image
    counts = graph.forgive(image.plan.graph, image.states, image.states.counts)
    state, reason = graph.run_state(counts, _facts(change))
    if (run.state, run.state_reason) == (state, reason):
        return
    before = run.state
    run.follow(state)
    change.set_run(state_reason=reason)
    change.touch_run("state")
    _stamp(change, before, state)
    change.event(f"run.{state}", "", {"from": before, "to": state, "reason": reason})
    if "blocked" in (before, state) and before != state:
        change.audited(
            "run.blocked" if state == "blocked" else "run.unblocked",
            reason=reason,
            before={"state": before},
            after={"state": state},
        )
    elif change.run.is_final or state == "failed":
        change.audited("run.ended", reason=reason, before={"state": before}, after={"state": state})


def _stamp(change: Change, before: str, state: str) -> None:
    if change.run.started_at is None and state == "running":
        change.set_run(started_at=change.now)
    over = state in ("succeeded", "canceled", "failed")
    if over != (change.run.finished_at is not None):
        change.set_run(finished_at=change.now if over else None)


def _facts(change: Change) -> RunFacts:
    run = change.run
    return RunFacts(
        admitted=run.admitted,
        control=run.control,
        why_queued="run_limit" if run.workspace_kind == "worktree" else "workspace_busy",
        why_blocked=_first_reason(change, "awaiting_approval", "approval"),
        why_failed=_first_reason(change, "failed", "step_failed"),
        why_canceled=_why_canceled(change),
    )


def _why_canceled(change: Change) -> str:
    """By a person, or by the run's own time."""
    image = change.image
    if change.run.control != "cancel":
        return "canceled"
    reasons = (step.state_reason for step, state in zip(image.steps, image.states, strict=True) if state == "canceled")
    return "timeout" if "timeout" in reasons else "canceled"


def _first_reason(change: Change, state: str, otherwise: str) -> str:
    image = change.image
    if not image.states.counts[state]:
        return otherwise
    places = (place for place, found in enumerate(image.states) if found == state)
    place = next((place for place in places if place not in image.plan.graph.forgiven), image.states.index(state))
    return image.steps[place].state_reason or otherwise
