"""Runs for tests: a team, plans drawn as text, and a driver that plays the worker without threads or processes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User

from orchestration import plan_rules
from orchestration.engine import deciding, finishing, launching, planning, starting
from orchestration.engine.drift import LookFirst
from orchestration.engine.starting import Assignment
from orchestration.executors.base import Outcome
from orchestration.models import Feature, StepRun, Workflow, WorkflowRun
from policy.actors import Actor
from policy.models import Project
from tests.factories import ProjectFactory, member

Details = Mapping[str, Mapping[str, Any]] | None
OWNER = "test-worker"
DONE = Outcome("succeeded", exit_code=0)
BROKEN = Outcome("failed", reason="exit", error="It ended with code 1.", exit_code=1)
LOST = Outcome("interrupted", error="Nobody knows.")


@dataclass(frozen=True)
class Team:
    """A project in a plain folder with three people: Ada launches, Grace and Edsger decide, Linus looks."""

    project: Project
    feature: Feature
    ada: User
    grace: User
    edsger: User
    linus: User

    def actor(self, name: str) -> Actor:
        return Actor.for_command(getattr(self, name))


def make_team(folder: Path, **project: Any) -> Team:
    made = ProjectFactory(path=str(folder), **project)
    people = {
        name: member(made, role, username=f"{name}-{made.pk}")
        for name, role in (("ada", "operator"), ("grace", "approver"), ("edsger", "approver"), ("linus", "viewer"))
    }
    return Team(made, Feature.objects.create(project=made, slug="search", title="Search"), **people)


def make_plan(
    team: Team, drawing: str, steps: Mapping[str, Mapping[str, Any]] | None = None, **plan: Any
) -> dict[str, Any]:
    """`a >> b, c >> d`: every step of a group needs all of the group before. `steps` says more of some of them."""
    groups = [re.split(r"\s*,\s*", group) for group in re.split(r"\s*>>\s*", drawing.strip())]
    drawn = []
    for before, group in zip([[], *groups], groups, strict=False):
        for key in group:
            drawn.append(
                {"key": key, "type": "command", "command": "true", "needs": before, **(steps or {}).get(key, {})}
            )
    for step in drawn:
        if step["type"] != "command":
            del step["command"]
    return {"name": "Plan", "project": team.project.slug, "feature": team.feature.slug, "steps": drawn, **plan}


def make_workflow(
    team: Team, drawing: str, steps: Mapping[str, Mapping[str, Any]] | None = None, **plan: Any
) -> Workflow:
    return planning.create_workflow(
        plan_rules.validate_plan(make_plan(team, drawing, steps, **plan)), by=team.actor("ada")
    )


def launch(
    team: Team,
    drawing: str,
    steps: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
    **plan: Any,
) -> WorkflowRun:
    workflow = make_workflow(team, drawing, steps, **plan)
    return launching.launch_run(workflow, inputs=inputs or {}, by=team.actor("ada"))


def start(run: WorkflowRun, key: str | None = None) -> Assignment | None:
    step_id = StepRun.objects.exclude(state="superseded").get(run=run, key=key).pk if key else None
    started = starting.start_step(run.pk, owner=OWNER, step_run_id=step_id)
    assert not isinstance(started, LookFirst), "a run in a worktree is started by the worker"
    return started


def finish(assignment: Assignment, outcome: Outcome = DONE) -> None:
    finishing.finish_attempt(assignment, outcome, owner=OWNER, start_next=False)


def settle(run: WorkflowRun, outcomes: Mapping[str, Outcome] | None = None) -> WorkflowRun:
    """Do whatever may start, in order, until nothing may; steps end as `outcomes` says, else well."""
    while (assignment := start(run)) is not None:
        finish(assignment, (outcomes or {}).get(assignment.step_key, DONE))
    run.refresh_from_db()
    return run


def decide(
    team: Team, run: WorkflowRun, key: str, *, by: str = "grace", decision: str = "approve", digest: str = ""
) -> None:
    approval = step_of(run, key).approval
    deciding.decide_approval(
        run.pk,
        key,
        decision=decision,
        reason="I looked.",
        by=team.actor(by),
        digest=digest or (approval.digest if approval else ""),
    )


def step_of(run: WorkflowRun, key: str) -> StepRun:
    return StepRun.objects.exclude(state="superseded").select_related("approval").get(run=run, key=key)


def states(run: WorkflowRun) -> dict[str, str]:
    return dict(StepRun.objects.filter(run=run).exclude(state="superseded").values_list("key", "state"))


def fold(run: WorkflowRun) -> tuple[str, dict[str, str]]:
    """The states as the events tell them."""
    state, steps = "queued", dict.fromkeys(states(run), "pending")
    for event in run.events.order_by("sequence_no"):
        if event.type == "run.replanned":
            steps = {step["key"]: step["state"] for step in event.data["steps"]}
        elif event.step_key and "to" in event.data:
            steps[event.step_key] = event.data["to"]
        elif event.type.startswith("run.") and "to" in event.data:
            state = event.data["to"]
    return state, steps
