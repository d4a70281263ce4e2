"""The table of transitions, read off the machines themselves: what the history is held against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestration.models import StepRun, WorkflowRun
from orchestration.models.run import FINAL_RUN_STATES, RunState

Arrow = tuple[str, str, str]  # from, event, to


def _step_arrows() -> Iterator[Arrow]:
    for arrow in StepRun._meta.get_field("state").get_all_transitions(StepRun):
        for target in _targets(arrow.target):
            yield str(arrow.source), arrow.custom["event"], target


def _run_arrows() -> Iterator[Arrow]:
    for arrow in WorkflowRun._meta.get_field("state").get_all_transitions(WorkflowRun):
        for target in _targets(arrow.target):
            yield str(arrow.source), arrow.custom["event"].format(to=target), target


def _targets(target: Any) -> list[str]:
    return [str(state) for state in getattr(target, "allowed_states", None) or [target]]


STEP_ARROWS = frozenset(_step_arrows())
RUN_ARROWS = frozenset(_run_arrows())
STEP_EVENTS = frozenset(event for _, event, _ in STEP_ARROWS)
RUN_EVENTS = frozenset(event for _, event, _ in RUN_ARROWS)
FINAL = frozenset(str(state) for state in FINAL_RUN_STATES)
RUN_STATES = frozenset(RunState.values)
