"""Plans as rows: a workflow, its versions, and what policy says of each step when it is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration import plan_rules
from orchestration.engine import gates
from orchestration.engine.environments import with_environment
from orchestration.engine.errors import NotFound, Unfilled
from orchestration.engine.locks import write_transaction
from orchestration.engine.rows import insert
from orchestration.models import Edge, Feature, Step, Workflow, WorkflowVersion
from orchestration.models.workflow import Mode
from orchestration.schema import InvalidPlan, Plan
from policy import access, audit, canonical, risk
from policy.actors import Actor
from policy.models import Project
from policy.risk import Verdict

PLAN_DOMAIN = "ccdash-plan-v1"


@dataclass(frozen=True)
class StepPreview:
    """What a plan's author sees of a step before anything is stored."""

    index: int
    key: str
    name: str
    type: str
    definition: Mapping[str, Any]
    verdict: Verdict


def find_project(actor: Actor, slug: str, permission: str = "view") -> Project:
    """The project, if this actor may do that in it. Raises NotVisible or NotAllowed."""
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise NotFound(f"There is no project {slug!r} that you can see.")
    access.require(actor, access.Permission(permission), project)
    return project


def find_feature(project: Project, slug: str) -> Feature:
    feature = Feature.objects.filter(project=project, slug=slug).first()
    if feature is None:
        raise NotFound(f"The project {project.slug!r} has no feature {slug!r}; import or create it first.")
    return feature


def preview(plan: Plan, project: Project) -> list[StepPreview]:
    """Each step with its verdict under the present rules. Stores nothing. Raises InvalidPlan for unknown profiles."""
    context = gates.context_for(project, plan.feature, project.rules_revision)
    data = plan.as_data()
    whole = _with_environments(data, project)
    return [
        StepPreview(index, step["key"], step["name"], step["type"], step, risk.evaluate(whole[index], context))
        for index, step in enumerate(data["steps"])
    ]


def create_workflow(plan: Plan, *, by: Actor, mode: str = Mode.ORCHESTRATION) -> Workflow:
    """Store a plan as a new workflow, version 1."""
    project = find_project(by, plan.project, "launch")
    feature = find_feature(project, plan.feature)
    steps = preview(plan, project)
    with write_transaction():
        workflow = Workflow.objects.create(
            project=project, feature=feature, name=plan.name, mode=mode, created_by_id=person(by)
        )
        version = _write_version(workflow, plan, steps, by=by, number=1, parent=None)
        if mode != Mode.SIMPLE:
            _audit(by, workflow, version, "workflow.created")
    return workflow


def save_version(workflow: Workflow, plan: Plan, *, by: Actor) -> WorkflowVersion:
    """Store an edited plan as the next version; the same plan again makes none."""
    access.require(by, access.Permission.LAUNCH, workflow.project)
    if (plan.project, plan.feature) != (workflow.project.slug, workflow.feature.slug):
        raise NotFound("A workflow stays in its project and feature; make a new one instead.")
    steps = preview(plan, workflow.project)
    with write_transaction():
        Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
        latest = latest_version(workflow)
        if latest.digest == digest_of(plan):
            return latest
        version = _write_version(workflow, plan, steps, by=by, number=latest.number + 1, parent=latest)
        Workflow.objects.filter(pk=workflow.pk).update(name=plan.name)
        _audit(by, workflow, version, "workflow.edited")
    return version


def latest_version(workflow: Workflow) -> WorkflowVersion:
    return workflow.versions.order_by("-number")[0]


def digest_of(plan: Plan) -> str:
    return canonical.digest(PLAN_DOMAIN, plan.as_data())


def _with_environments(data: Mapping[str, Any], project: Project) -> list[dict[str, Any]]:
    whole, faults = [], []
    for index, step in enumerate(data["steps"]):
        try:
            whole.append(with_environment(step, data.get("env") or {}, project.pk))
        except Unfilled as unknown:
            faults.append({"path": f"steps[{index}].env_profile", "message": str(unknown)})
    if faults:
        raise InvalidPlan(faults[:100])
    return whole


def write_replanned(workflow: Workflow, plan: Plan, *, by: Actor, parent: WorkflowVersion) -> WorkflowVersion:
    """The next version, out of a live run's replan. Call inside the change's transaction."""
    steps = preview(plan, workflow.project)
    number = latest_version(workflow).number + 1
    return _write_version(workflow, plan, steps, by=by, number=number, parent=parent)


def _write_version(
    workflow: Workflow, plan: Plan, steps: list[StepPreview], *, by: Actor, number: int, parent: WorkflowVersion | None
) -> WorkflowVersion:
    version = WorkflowVersion.objects.create(
        workflow=workflow,
        number=number,
        plan=plan.as_data(),
        digest=digest_of(plan),
        parent=parent,
        created_by_id=person(by),
    )
    rows = Step.objects.bulk_create([_step_row(version, step) for step in steps], batch_size=500)
    insert(Edge, _edge_rows(version, [step.pk for step in rows], plan))
    return version


def _edge_rows(version: WorkflowVersion, ids: list[int], plan: Plan) -> list[dict[str, Any]]:
    return [
        {"version_id": version.pk, "from_step_id": ids[other], "to_step_id": ids[index]}
        for index, needed in enumerate(plan_rules.needs_of(plan))
        for other in needed
    ]


def _step_row(version: WorkflowVersion, step: StepPreview) -> Step:
    return Step(
        version=version,
        index=step.index,
        key=step.key,
        name=step.name,
        type=step.type,
        provider=step.definition.get("provider", ""),
        definition=dict(step.definition),
        policy=gates.verdict_data(step.verdict),
        risk=step.verdict.risk,
    )


def _audit(by: Actor, workflow: Workflow, version: WorkflowVersion, action: str) -> None:
    audit.append(
        action,
        actor=by,
        project=workflow.project.slug,
        subject=f"workflow:{workflow.pk}",
        after={"name": workflow.name, "version": version.number, "digest": version.digest},
        payload_digest=version.digest,
    )


def person(by: Actor) -> int:
    if by.user_id is None:
        raise NotFound("Only a person can do this; name one.")
    return by.user_id
