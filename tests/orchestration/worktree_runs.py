"""Runs in a git worktree, done for real by the worker's own code, and files that change behind their back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestration import worker
from orchestration.hosting import AttemptHost
from orchestration.models import WorkflowRun
from tests.orchestration import runs
from tests.orchestration.runs import Team

GATE = {"type": "approval"}


def work(run: WorkflowRun) -> WorkflowRun:
    """Everything that may start, by the worker's own code."""
    while (assignment := worker.begin(run.pk, owner=runs.OWNER)) is not None:
        worker.perform(assignment, AttemptHost(assignment, runs.OWNER), wants_next=lambda: False)
    run.refresh_from_db()
    return run


def half_done(team: Team, after: dict[str, Any] | None = None) -> tuple[WorkflowRun, Path]:
    """A run whose first step is done and whose `b` waits behind a checkpoint, and its folder."""
    steps = {"a": {"command": "echo one > a.txt"}, "g": GATE, "b": after or {"command": "cat a.txt"}}
    run = work(runs.launch(team, "a >> g >> b", steps))
    return run, Path(run.workspace_path)


def drifted(team: Team, after: dict[str, Any] | None = None) -> tuple[WorkflowRun, Path]:
    run, folder = half_done(team, after)
    (folder / "a.txt").write_text("two\n")
    runs.decide(team, run, "g")
    return work(run), folder
