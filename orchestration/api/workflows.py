"""Plans: stored, looked at, tried out, run."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from orchestration import plan_rules, plan_text, schema
from orchestration.api import answers as shapes
from orchestration.api import bodies, paging
from orchestration.api.auth import asker
from orchestration.api.idempotency import once
from orchestration.api.problems import answers
from orchestration.api.rendering import Answer
from orchestration.engine import launching, planning
from orchestration.engine.errors import NotFound
from orchestration.models.workflow import Mode
from orchestration.reading import finding, runs, workflows
from orchestration.schema import InvalidPlan, Plan
from policy.access import Permission
from policy.actors import Actor
from policy.errors import PolicyError

router = Router(tags=["Workflows"])
VersionNumber = Annotated[int, Query(ge=1, le=10**6, description="A version; the newest where left out.")]


@router.get("", response=answers(shapes.Workflows), operation_id="list_workflows")
def list_workflows(
    request: HttpRequest,
    project: str | None = None,
    feature: str | None = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor | None = None,
) -> Answer:
    """Workflows of your projects, newest first."""
    found = finding.visible_workflows(asker(request)).filter(mode=Mode.ORCHESTRATION)
    found = finding.within(found, project, feature)
    items, following = paging.newest_first(workflows.with_newest(found), limit, cursor)
    return Answer({"items": workflows.workflow_summaries(items), "next_cursor": following})


@router.post(
    "",
    response=answers(shapes.Workflow, 403, 404, 409, 413, 415, status=201),
    operation_id="create_workflow",
    openapi_extra=bodies.takes(schema.Plan),
)
def create_workflow(request: HttpRequest) -> Answer:
    """Store a plan as a new workflow."""
    by, data = asker(request), bodies.read_data(request, limit=bodies.MAX_PLAN)
    plan = _plan_for(data, by, Permission.LAUNCH)

    def effect() -> Answer:
        workflow = planning.create_workflow(plan, by=by)
        return _whole(by, str(workflow.pk), status=201)

    return once(request, data, effect)


@router.post(
    "/validate",
    response=answers(shapes.Validation, 409, 413, 415),
    operation_id="validate_workflow",
    openapi_extra=bodies.takes(bodies.Draft),
)
def validate_workflow(request: HttpRequest) -> Answer:
    """Try a plan out: its faults, or its steps and edges with what policy says of each. Stores nothing."""
    by, data = asker(request), bodies.read_data(request, limit=bodies.MAX_PLAN)
    return once(request, data, lambda: Answer(_validated(data, by)))


@router.get("/{workflow_id}", response=answers(shapes.Workflow, 404), operation_id="get_workflow")
def get_workflow(request: HttpRequest, workflow_id: str, version: VersionNumber | None = None) -> Answer:
    """A workflow at its newest version, or at the one named."""
    return _whole(asker(request), workflow_id, version=version)


@router.post(
    "/{workflow_id}/versions",
    response=answers(shapes.Workflow, 403, 404, 409, 413, 415, status=201),
    operation_id="create_version",
    openapi_extra=bodies.takes(schema.Plan),
)
def create_version(request: HttpRequest, workflow_id: str) -> Answer:
    """Store an edited plan as the workflow's next version; the same plan again makes none."""
    by = asker(request)
    workflow = finding.find_workflow(by, workflow_id)
    data = bodies.read_data(request, limit=bodies.MAX_PLAN)
    plan = _plan_for(data, by, Permission.LAUNCH)

    def effect() -> Answer:
        planning.save_version(workflow, plan, by=by)
        return _whole(by, workflow_id, status=201)

    return once(request, data, effect)


@router.post(
    "/{workflow_id}/runs",
    response=answers(shapes.Run, 403, 404, 409, 413, 415, status=201),
    operation_id="launch_run",
    openapi_extra=bodies.takes(bodies.Launch, required=False),
)
def launch_run(request: HttpRequest, workflow_id: str) -> Answer:
    """Start a run of the workflow."""
    by = asker(request)
    workflow = finding.find_workflow(by, workflow_id)
    body = bodies.read_body(request, bodies.Launch, default=b"{}")
    version = finding.find_version(workflow, body.version)
    ground = launching.look_at(workflow.project, by=by)

    def effect() -> Answer:
        run = launching.launch_run(workflow, inputs=body.inputs, by=by, version=version, ground=ground)
        return Answer(runs.run_detail(by, str(run.pk)), 201)

    return once(request, body, effect)


def _whole(by: Actor, workflow_id: str, *, version: int | None = None, status: int = 200) -> Answer:
    workflow = finding.find_workflow(by, workflow_id)
    return Answer(workflows.workflow_data(workflow, finding.find_version(workflow, version)), status)


def _plan_for(data: object, by: Actor, permission: Permission) -> Plan:
    """Shape first, then the place, then what only the whole plan can tell."""
    shape = schema.validate_shape(data)
    plan_text.check_data(data)
    planning.find_feature(finding.find_project(by, shape.project, permission), shape.feature)
    return plan_rules.validate_whole(shape)


def _validated(data: object, by: Actor) -> dict[str, object]:
    try:
        plan = plan_rules.validate_plan(data)
        project = finding.find_project(by, plan.project)
    except InvalidPlan as invalid:
        return _faulty(invalid.errors)
    except (NotFound, PolicyError) as unknown:
        return _faulty([{"path": "project", "message": str(unknown)}])
    try:
        planning.find_feature(project, plan.feature)
    except NotFound as unknown:
        return _faulty([{"path": "feature", "message": str(unknown)}])
    return {"valid": True, "errors": [], **workflows.preview_data(plan, planning.preview(plan, project))}


def _faulty(errors: list[dict[str, str]]) -> dict[str, object]:
    return {"valid": False, "errors": errors, "steps": [], "edges": []}
