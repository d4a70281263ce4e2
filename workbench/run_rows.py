"""Runs as lines of a list: home, project and feature show the same row. Two statements for any number of runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count
from django.urls import reverse

from orchestration.engine import launching
from orchestration.models import StepRun, WorkflowRun
from orchestration.models.run import FINAL_RUN_STATES
from orchestration.models.workflow import Mode

DONE = ("succeeded", "skipped")
REASONS = {
    "approval": "Waits for a decision",
    "policy": "Waits for a decision that a rule asks for",
    "budget": "The budget is used up; going on needs a decision",
    "workspace_drift": "The repository has changed; going on needs a decision",
    "approval_lapsed": "What was approved has changed; it needs a new decision",
    "override_asked": "Asked to run against the rules; that needs a decision",
    "skip_asked": "Asked to skip a step; that needs a decision",
    "approval_expired": "Nobody decided in time; ask again",
    "interrupted": "A worker was lost and nobody knows how its step ended",
    "exit": "A command failed",
    "timeout": "It took too long",
    "validation": "A check did not pass",
    "provider": "The agent's provider failed",
    "rejected": "A decision said no",
    "policy_denied": "Policy forbids a step",
    "expired": "Nobody decided in time",
    "storage": "What it left could not be stored",
    "memory": "It used more memory than allowed",
}


def run_url(run: WorkflowRun) -> str:
    """A single run opens at its one step: what it says is what one comes for."""
    address = reverse("run", args=[run.project.slug, run.number])
    return f"{address}?step={launching.SINGLE_STEP}" if run.mode == Mode.SIMPLE else address


def display_state(state: str, control: str, reason: str = "") -> str:
    """The stored state, or the way to it: pausing and canceling last while something still executes."""
    if control == "cancel" and state not in FINAL_RUN_STATES:
        return "canceling"
    return "pausing" if reason == "pausing" else state


def run_rows(runs: Iterable[WorkflowRun], *, place: str = "project") -> list[dict[str, Any]]:
    """`runs` with project, feature, workflow and launcher beside them. `place`: what the row says of where it is."""
    found = list(runs)
    counts = _counts(found)
    return [_row(run, counts[run.pk], place) for run in found]


def _counts(runs: list[WorkflowRun]) -> dict[Any, dict[str, int]]:
    counts: dict[Any, dict[str, int]] = {run.pk: {} for run in runs}
    present = StepRun.objects.filter(run__in=list(counts)).exclude(state="superseded").order_by()
    for run_id, state, count in present.values_list("run_id", "state").annotate(Count("id")) if runs else ():
        counts[run_id][state] = count
    return counts


def _row(run: WorkflowRun, counts: dict[str, int], place: str) -> dict[str, Any]:
    reason = "" if run.state == "running" else REASONS.get(run.state_reason, run.state_reason.replace("_", " "))
    return {
        "id": run.pk,
        "number": run.number,
        "url": run_url(run),
        "title": run.workflow.name,
        "place": _place(run, place),
        "display_state": display_state(run.state, run.control, run.state_reason),
        "reason": reason,
        "created_by": run.created_by.get_username(),
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "steps_done": sum(counts.get(state, 0) for state in DONE),
        "steps_total": sum(counts.values()),
    }


def _place(run: WorkflowRun, place: str) -> str:
    if place == "project":
        return f"{run.project.name} / {run.feature.title}"
    return run.feature.title if place == "feature" else ""
