"""From a plan version to a run: inputs, gates that can be satisfied, a repository that can be used, then the rows."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from orchestration import events, git, plan_rules, repositories
from orchestration.engine import gates, planning, promoting
from orchestration.engine.change import Change
from orchestration.engine.door import database_now
from orchestration.engine.errors import InvalidInput, Unlaunchable
from orchestration.engine.image import Image, PlanImage, images, plan_image
from orchestration.engine.locks import write_transaction
from orchestration.models import StepRun, Workflow, WorkflowRun, WorkflowVersion
from orchestration.models.run import FINAL_RUN_STATES
from orchestration.models.workflow import Mode
from orchestration.schema import Input, Plan
from policy import access, approvals
from policy.actors import Actor
from policy.models import Project

SINGLE_STEP = "run"  # the key of the one step of a simple run


@dataclass(frozen=True)
class Ground:
    """Where the run will work: read before the transaction, because git is a process."""

    kind: str
    commit: str = ""
    tree: str = ""


def launch_run(
    workflow: Workflow,
    *,
    inputs: Mapping[str, Any],
    by: Actor,
    version: WorkflowVersion | None = None,
    ground: Ground | None = None,
) -> WorkflowRun:
    """Start a run of the workflow's newest (or the given) version. Raises Unlaunchable, InvalidInput, NotAllowed.

    Whoever calls this inside a transaction brings the ground: looking at a repository is a process.
    """
    project = workflow.project
    access.require(by, access.Permission.LAUNCH, project)
    version = version or planning.latest_version(workflow)
    plan = plan_image(version.pk)
    values = checked_inputs(version.plan.get("inputs", {}), inputs)
    check_gates(project, plan, authors=_authors(version, by))
    ground = ground or find_ground(project)
    with write_transaction():
        change = _create(workflow, version, plan, values, ground, by)
        promoting.recompute(change)
        change.flush()
        transaction.on_commit(lambda: images.keep(change.image))
        transaction.on_commit(
            lambda: events.announce(change.run.pk, change.run.project_id, change.nudges, change.after_commit)
        )
    # The image's own run belongs to whoever holds the run's row.
    return copy(change.run)


def launch_simple(plan: Plan, *, by: Actor, ground: Ground | None = None) -> WorkflowRun:
    """The simple mode: a one-step plan, run at once by the same engine. Refused, it leaves no workflow behind."""
    ground = ground or find_ground(planning.find_project(by, plan.project, access.Permission.LAUNCH))
    with write_transaction():
        workflow = planning.create_workflow(plan, by=by, mode=Mode.SIMPLE)
        return launch_run(workflow, inputs={}, by=by, ground=ground)


def checked_inputs(wanted: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for all inputs of the plan. Raises InvalidInput naming each fault."""
    faults = [(f"inputs.{name}", f"The plan has no input {name!r}.") for name in given if name not in wanted]
    values: dict[str, Any] = {}
    for name, spec in wanted.items():
        shape = Input.model_validate(spec)
        value = given.get(name, shape.default)
        if value is None and shape.required:
            faults.append((f"inputs.{name}", f"The input {name!r} is needed."))
        elif value is not None and not plan_rules.input_fits(shape, value):
            faults.append((f"inputs.{name}", f"The input {name!r} must be a {shape.type}."))
        values[name] = value
    if faults:
        raise InvalidInput(faults)
    return values


def check_gates(project: Project, plan: PlanImage, *, authors: list[int]) -> None:
    """Refuse a launch whose checkpoints nobody could ever release."""
    context = gates.context_for(project, "", project.rules_revision)
    known: dict[approvals.ApprovalSpec, int] = {}
    for place, key in enumerate(plan.keys):
        spec = gates.spec_of(plan, place, context)
        if spec is None:
            continue
        if spec not in known:
            known[spec] = approvals.missing_eligible(spec, project, authors)
        if known[spec]:
            raise Unlaunchable(
                f"The gate of step {key!r} could never be released: it needs {spec.quorum} decision(s) by "
                f"{', '.join(spec.approvers)}, and {known[spec]} eligible person(s) are missing beside those who "
                "launched or edited this plan. Add an approver to the project.",
                code="no_eligible_approver",
            )


def look_at(project: Project, *, by: Actor) -> Ground:
    """Where a run by this actor would work; for those who launch inside a transaction of theirs."""
    access.require(by, access.Permission.LAUNCH, project)
    return find_ground(project)


def find_ground(project: Project) -> Ground:
    """The repository as it is now, by one look. Raises Unlaunchable with what to do about it."""
    path = Path(project.path)
    look = git.ask("rev-parse", "HEAD^{commit}", "HEAD^{tree}", cwd=path) if path.is_dir() else None
    if look is not None and look.code == 0:
        commit, tree = look.text.split()
        return Ground("worktree", commit, tree)
    facts = repositories.inspect_repository(path)
    if facts.problem:
        raise Unlaunchable(f"{facts.problem} ({project.path})", code="workspace")
    return Ground("folder")


def is_admissible(project: Project, kind: str) -> bool:
    """Whether another run may begin now. Call while holding the project's row."""
    active = WorkflowRun.objects.filter(project=project, admitted=True).exclude(state__in=[*FINAL_RUN_STATES, "failed"])
    if kind == "folder":
        # Two runs in one plain folder would work on each other's files.
        return not active.exists()
    return active.count() < project.max_active_runs


def _create(
    workflow: Workflow, version: WorkflowVersion, plan: PlanImage, inputs: dict[str, Any], ground: Ground, by: Actor
) -> Change:
    project = Project.objects.select_for_update(no_key=True).get(pk=workflow.project_id)
    project.last_run_number += 1
    project.save(update_fields=["last_run_number"])
    now = database_now()
    timeout = version.plan.get("timeout_seconds")
    run = WorkflowRun(
        project=project,
        feature=workflow.feature,
        workflow=workflow,
        version=version,
        number=project.last_run_number,
        mode=workflow.mode,
        inputs=inputs,
        created_by_id=planning.person(by),
        authors=_authors(version, by),
        admitted=is_admissible(project, ground.kind),
        workspace_kind=ground.kind,
        workspace_path="" if ground.kind == "worktree" else project.path,
        base_commit=ground.commit,
        workspace_commit=ground.commit,
        workspace_tree=ground.tree,
        cost_usd=0,
        created_at=now,
        deadline_at=now + timedelta(seconds=timeout) if timeout else None,
    )
    run.save(force_insert=True)
    steps = StepRun.objects.bulk_create(
        [_step_run(run, plan, place) for place in range(len(plan.keys))], batch_size=500
    )
    change = Change(Image(run, plan, steps), by, now, project.rules_revision)
    change.settled.update(place for place, needed in enumerate(plan.graph.needs) if not needed)
    change.event(
        "run.created", "", {"state": "queued", "plan": plan.digest, "version": version.number, "inputs": inputs}
    )
    change.audited("run.launched", payload_digest=plan.digest, after={"workflow": str(workflow.pk), "inputs": inputs})
    if run.admitted:
        change.event("run.admitted")
    return change


def _step_run(run: WorkflowRun, plan: PlanImage, place: int) -> StepRun:
    return StepRun(
        run=run,
        step_id=plan.step_ids[place],
        step_index=place,
        key=plan.keys[place],
        type=plan.definitions[place]["type"],
    )


def _authors(version: WorkflowVersion, by: Actor) -> list[int]:
    return sorted({version.created_by_id, by.user_id or 0} - {0})
