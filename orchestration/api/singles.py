"""The simple mode: one command or one agent call, no plan to write. The same engine, policy and audit."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel

from orchestration import plan_rules, plan_text
from orchestration.api import acting, bodies, paging
from orchestration.api import answers as shapes
from orchestration.api.acting import act
from orchestration.api.auth import asker
from orchestration.api.idempotency import once
from orchestration.api.problems import answers
from orchestration.api.rendering import Answer
from orchestration.engine import controlling, deciding, launching, planning
from orchestration.models import StepRun, WorkflowRun
from orchestration.models.workflow import Mode
from orchestration.reading import finding, runs
from policy.access import Permission

router = Router(tags=["Single runs"])
ACTS = answers(shapes.Run, 403, 404, 409, 413, 415)
PLACE = ("project", "feature")


@router.get("", response=answers(shapes.Runs), operation_id="list_single_runs")
def list_single_runs(
    request: HttpRequest,
    project: str | None = None,
    feature: str | None = None,
    state: shapes.RunStates | None = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor | None = None,
) -> Answer:
    """Single runs of your projects, newest first."""
    found = finding.within(finding.visible_runs(asker(request)).filter(mode=Mode.SIMPLE), project, feature)
    items, following = paging.newest_first(found.filter(state=state) if state else found, limit, cursor)
    return Answer({"items": runs.run_summaries(items), "next_cursor": following})


@router.post(
    "",
    response=answers(shapes.Run, 403, 404, 409, 413, 415, status=201),
    operation_id="start_single_run",
    openapi_extra=bodies.takes(bodies.SingleCommand, bodies.SingleSdk, bodies.SingleStep),
)
def start_single_run(request: HttpRequest) -> Answer:
    """Run one command or ask one agent."""
    by, data = asker(request), bodies.read_data(request)
    plan_text.check_data(data)
    draft = _plan(bodies.checked(_shape(data), data))
    project = finding.find_project(by, draft["project"], Permission.LAUNCH)
    planning.find_feature(project, draft["feature"])
    plan = plan_rules.validate_plan(draft)
    ground = launching.look_at(project, by=by)

    def effect() -> Answer:
        run = launching.launch_simple(plan, by=by, ground=ground)
        return Answer(runs.run_detail(by, str(run.pk)), 201)

    return once(request, data, effect)


@router.get("/{run_id}", response=answers(shapes.Run, 404), operation_id="get_single_run")
def get_single_run(request: HttpRequest, run_id: str) -> Answer:
    """A single run with its step."""
    return Answer(runs.run_detail(asker(request), str(_find(request, run_id).pk)))


@router.post(
    "/{run_id}/cancel",
    response=ACTS,
    operation_id="cancel_single_run",
    openapi_extra=bodies.takes(bodies.StopSingle, required=False),
)
def cancel_single_run(request: HttpRequest, run_id: str) -> Answer:
    """End it, and the work that it has in flight."""
    return act(
        request, _find(request, run_id), bodies.StopSingle,
        lambda run, body, by: controlling.cancel_run(run, reason=body.reason, by=by), default=b"{}",
    )  # fmt: skip


@router.post(
    "/{run_id}/reconcile",
    response=ACTS,
    operation_id="reconcile_single_run",
    openapi_extra=bodies.takes(bodies.Reconcile, required=False),
)
def reconcile_single_run(request: HttpRequest, run_id: str) -> Answer:
    """Ask the providers how the open answers of any run stand, a single one or not."""
    return acting.reconcile(request, finding.find_run(asker(request), run_id))


@router.post(
    "/{run_id}/retry",
    response=ACTS,
    operation_id="retry_single_run",
    openapi_extra=bodies.takes(bodies.StopSingle, required=False),
)
def retry_single_run(request: HttpRequest, run_id: str) -> Answer:
    """Do it again."""
    run = _find(request, run_id)
    return act(
        request, run, bodies.StopSingle,
        lambda pk, body, by: controlling.retry_step(pk, _only_key(run), reason=body.reason, by=by), default=b"{}",
    )  # fmt: skip


@router.post(
    "/{run_id}/approve",
    response=ACTS,
    operation_id="approve_single_run",
    openapi_extra=bodies.takes(bodies.DecideSingle),
)
def approve_single_run(request: HttpRequest, run_id: str) -> Answer:
    """Approve or reject what it waits for, on the digest that was shown."""
    run = _find(request, run_id)
    return act(
        request, run, bodies.DecideSingle,
        lambda pk, body, by: deciding.decide_approval(
            pk, body.step_key or _only_key(run), decision=body.decision, reason=body.reason, digest=body.digest, by=by,
            approval_id=body.approval_id or "",
        ),
    )  # fmt: skip


def _find(request: HttpRequest, run_id: str) -> WorkflowRun:
    return finding.find_single_run(asker(request), run_id)


def _only_key(run: WorkflowRun) -> str:
    return StepRun.objects.filter(run=run).exclude(state="superseded").values_list("key", flat=True).get()


def _shape(data: dict[str, Any]) -> type[BaseModel]:
    if "step" in data:
        return bodies.SingleStep
    is_agent = data.get("type") == "sdk" or ("type" not in data and "prompt" in data)
    return bodies.SingleSdk if is_agent else bodies.SingleCommand


def _plan(body: BaseModel) -> dict[str, Any]:
    """A plan of one step, named for what it does."""
    data = body.model_dump(mode="json", by_alias=True, exclude_none=True)
    place = {name: data.pop(name) for name in PLACE}
    step = data.pop("step", data)
    name = step.get("name") or _title(step.get("command") or step["prompt"])
    return {"name": name, **place, "steps": [{**step, "key": launching.SINGLE_STEP, "name": name}]}


def _title(text: str) -> str:
    """The first line, as a name."""
    line = text.strip().splitlines()[0]
    return line if len(line) <= 80 else f"{line[:79]}…"
