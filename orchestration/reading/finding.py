"""Looks up what an actor may see. What is not theirs is not there: same error, same statements."""

from __future__ import annotations

import uuid
from typing import TypeVar

from django.db.models import QuerySet

from orchestration.engine.errors import NotFound
from orchestration.models import Artifact, Feature, StepRun, Workflow, WorkflowRun, WorkflowVersion
from orchestration.models.workflow import Mode
from policy import access
from policy.actors import Actor
from policy.models import Project

NOBODY = uuid.UUID(int=0)
Owned = TypeVar("Owned", Workflow, WorkflowRun)


def visible_runs(actor: Actor) -> QuerySet[WorkflowRun]:
    """Runs of the actor's projects, with all that a summary tells of; the plan itself stays where it is."""
    mine = WorkflowRun.objects.filter(project__in=access.visible_projects(actor))
    return mine.select_related("project", "feature", "workflow", "version", "created_by").defer("version__plan")


def visible_workflows(actor: Actor) -> QuerySet[Workflow]:
    mine = Workflow.objects.filter(project__in=access.visible_projects(actor))
    return mine.select_related("project", "feature", "created_by")


def visible_features(actor: Actor) -> QuerySet[Feature]:
    return Feature.objects.filter(project__in=access.visible_projects(actor)).select_related("project")


def within(rows: QuerySet[Owned], project: str | None, feature: str | None) -> QuerySet[Owned]:
    """Only those of a project and a feature, where these are named."""
    rows = rows.filter(project__slug=project) if project else rows
    return rows.filter(feature__slug=feature) if feature else rows


def find_project(actor: Actor, slug: str, permission: str = access.Permission.VIEW) -> Project:
    project = access.visible_projects(actor).filter(slug=slug).first()
    if project is None:
        raise NotFound(f"There is no project {slug!r} that you can see.")
    access.require(actor, permission, project)
    return project


def find_run(actor: Actor, run_id: str, *, mode: str | None = None) -> WorkflowRun:
    found = visible_runs(actor).filter(pk=identity(run_id)).first()
    if found is None or (mode and found.mode != mode):
        raise NotFound("There is no such run.")
    return found


def find_single_run(actor: Actor, run_id: str) -> WorkflowRun:
    return find_run(actor, run_id, mode=Mode.SIMPLE)


def find_workflow(actor: Actor, workflow_id: str) -> Workflow:
    found = visible_workflows(actor).filter(pk=identity(workflow_id)).first()
    if found is None:
        raise NotFound("There is no such workflow.")
    return found


def find_version(workflow: Workflow, number: int | None = None) -> WorkflowVersion:
    """The given version, or the newest."""
    versions = workflow.versions.select_related("created_by").order_by("-number")
    found = (versions if number is None else versions.filter(number=number)).first()
    if found is None:
        raise NotFound("There is no such version of this workflow.")
    return found


def find_artifact(actor: Actor, artifact_id: str) -> Artifact:
    visible = Artifact.objects.filter(run__project__in=access.visible_projects(actor))
    beside = ("step_run", "attempt", "run__project", "run__feature", "run__version")
    found = visible.select_related(*beside).defer("run__version__plan").filter(pk=identity(artifact_id)).first()
    if found is None:
        raise NotFound("There is no such artifact.")
    return found


def find_step(run: WorkflowRun, step_key: str) -> StepRun:
    """The present step run of this key."""
    found = StepRun.objects.filter(run=run, key=step_key).exclude(state="superseded").first()
    if found is None:
        raise NotFound("This run has no such step.")
    return found


def identity(text: str) -> uuid.UUID:
    """Ids are opaque to callers: what can't be one is simply unknown, and looked up like any other."""
    try:
        return uuid.UUID(text) if len(text) <= 64 else NOBODY
    except ValueError:
        return NOBODY
