"""Runs: looked at and followed."""

from __future__ import annotations

from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from orchestration import reports
from orchestration.api import answers as shapes
from orchestration.api import paging
from orchestration.api.artifact_answers import Artifacts
from orchestration.api.auth import asker
from orchestration.api.problems import answers
from orchestration.api.rendering import Answer
from orchestration.api.report_answers import Report
from orchestration.engine.errors import NotFound
from orchestration.reading import artifacts, finding, histories, impacts, runs

router = Router(tags=["Runs"])
StepKey = Annotated[str, Query(max_length=64, description="The step that the action is about.")]
ABOUT_A_STEP = ("retry-step", "skip-step")
REPORT_TYPES = {"json": "application/json", "md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8"}
REPORT_MEDIA = {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in list(REPORT_TYPES.values())[1:]}


@router.get("", response=answers(shapes.Runs), operation_id="list_runs")
def list_runs(
    request: HttpRequest,
    project: str | None = None,
    feature: str | None = None,
    state: shapes.RunStates | None = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor | None = None,
) -> Answer:
    """Runs of your projects, newest first."""
    found = finding.within(finding.visible_runs(asker(request)), project, feature)
    items, following = paging.newest_first(found.filter(state=state) if state else found, limit, cursor)
    return Answer({"items": runs.run_summaries(items), "next_cursor": following})


@router.get("/{run_id}", response=answers(shapes.Run, 404), operation_id="get_run")
def get_run(request: HttpRequest, run_id: str) -> Answer:
    """A run with all its steps."""
    return Answer(runs.run_detail(asker(request), run_id))


@router.get("/{run_id}/impact", response=answers(shapes.Impact, 404, 409), operation_id="get_impact")
def get_impact(
    request: HttpRequest,
    run_id: str,
    action: Literal["retry-step", "skip-step", "resume", "replan", "cancel"],
    step_key: StepKey | None = None,
) -> Answer:
    """What an action would do, before it is done. An action may carry the digest, and is refused when it is stale."""
    by = asker(request)
    if action in ABOUT_A_STEP and not step_key:
        raise NotFound(f"There is no step without a key: name in step_key what {action} is about.")
    return Answer(impacts.impact_of(finding.find_run(by, run_id), action, step_key or "", by=by))


@router.get("/{run_id}/events", response=answers(shapes.Events, 404), operation_id="list_events")
def list_events(request: HttpRequest, run_id: str, after: paging.After = 0, limit: paging.Limit = 50) -> Answer:
    """The run's history in order; numbers start at 1 and have no gaps."""
    run = finding.find_run(asker(request), run_id)
    return Answer(histories.events_after(run, after, limit))


@router.get("/{run_id}/steps/{step_key}/log", response=answers(shapes.Log, 404), operation_id="get_log")
def get_log(
    request: HttpRequest,
    run_id: str,
    step_key: str,
    stream: shapes.LogStreams | None = None,
    after: paging.After = 0,
    limit: paging.Limit = 200,
) -> Answer:
    """The output of a step's attempts, oldest first; `next_after` is where to go on."""
    run = finding.find_run(asker(request), run_id)
    return Answer(histories.log_after(run, step_key, stream=stream or "", after=after, limit=limit))


@router.get("/{run_id}/artifacts", response=answers(Artifacts, 404), operation_id="list_artifacts")
def list_artifacts(
    request: HttpRequest, run_id: str, limit: paging.Limit = 50, cursor: paging.Cursor | None = None
) -> Answer:
    """What the run's steps left, oldest first."""
    run = finding.find_run(asker(request), run_id)
    found = run.artifacts.select_related("step_run", "attempt")
    items, following = paging.oldest_first(found, limit, cursor)
    return Answer({"items": artifacts.artifacts_data(run, items), "next_cursor": following})


@router.get(
    "/{run_id}/report",
    response=answers(Report, 404),
    operation_id="get_report",
    openapi_extra={"responses": {200: {"content": REPORT_MEDIA}}},
)
def get_report(request: HttpRequest, run_id: str, format: Literal["json", "md", "html"] = "json") -> HttpResponse:
    """What ran, who decided what and why, what it cost, what it left. The same bytes for the same last event."""
    report = reports.report_of(finding.find_run(asker(request), run_id))
    return HttpResponse(reports.written(report, format), content_type=REPORT_TYPES[format])
