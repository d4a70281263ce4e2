"""What surrounds runs: projects, features, providers, decisions that wait, and what policy would say."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.http import HttpRequest
from ninja import Router

from orchestration import plan_rules, plan_text, provider_settings
from orchestration.api import answers as shapes
from orchestration.api import bodies, paging
from orchestration.api.auth import asker
from orchestration.api.idempotency import once
from orchestration.api.problems import answers
from orchestration.api.rendering import Answer
from orchestration.engine import planning
from orchestration.providers import PROVIDERS
from orchestration.reading import approvals, finding, places, workflows
from policy import access, inbox
from policy.actors import Actor
from policy.models import Approval, Project

router = Router(tags=["Around runs"])
SETTINGS = tuple(shapes.ProviderSettings.model_fields)
SHOWN = (*approvals.COLUMNS, "project__slug")


@router.get("/approvals", response=answers(shapes.Approvals), operation_id="list_approvals")
def list_approvals(
    request: HttpRequest,
    state: shapes.ApprovalStates = "pending",
    limit: paging.Limit = 50,
    cursor: paging.Cursor | None = None,
) -> Answer:
    """Pending: what waits for your decision. Any other state: what your projects have seen. Newest first."""
    by = asker(request)
    found = _waiting(by, limit, cursor) if state == "pending" else _past(by, state, limit, cursor)
    items, following = paging.cut(found, limit, "requested_at")
    return Answer({"items": approvals.with_runs(items), "next_cursor": following})


@router.post(
    "/policy-check",
    response=answers(shapes.Policy, 403, 404, 409, 413, 415),
    operation_id="check_policy",
    openapi_extra=bodies.takes(bodies.PolicyCheck),
)
def check_policy(request: HttpRequest) -> Answer:
    """What policy says of a step in this project: verdict, risk, reasons. Stores nothing."""
    by, data = asker(request), bodies.read_data(request)
    body = bodies.checked(bodies.PolicyCheck, data)
    plan_text.check_data(data)
    project = finding.find_project(by, body.project)
    plan = plan_rules.validate_alone(
        {"name": "Policy check", "project": body.project, "feature": body.feature, "steps": [data["step"]]}
    )

    def effect() -> Answer:
        return Answer(workflows.preview_of(planning.preview(plan, project)[0])["policy"])

    return once(request, data, effect)


@router.get("/providers", response=answers(shapes.Providers, 404), operation_id="list_providers")
def list_providers(request: HttpRequest, project: str | None = None) -> Answer:
    """Registered agent providers, what they can do, and whether they are configured: by this server, or in a project
    with its own settings. Asks no provider anything."""
    named = finding.find_project(asker(request), project) if project is not None else None
    return Answer({"items": [_provider(name, named) for name in PROVIDERS], "next_cursor": None})


@router.get("/projects", response=answers(shapes.Projects), operation_id="list_projects")
def list_projects(request: HttpRequest, limit: paging.Limit = 50, cursor: paging.Number | None = None) -> Answer:
    """Projects that you belong to, and your role in each."""
    by = asker(request)
    items, following = paging.by_number(access.visible_projects(by), limit, cursor)
    return Answer({"items": places.projects_data(items, by), "next_cursor": following})


@router.get("/features", response=answers(shapes.Features), operation_id="list_features")
def list_features(
    request: HttpRequest, project: str | None = None, limit: paging.Limit = 50, cursor: paging.Number | None = None
) -> Answer:
    """Features of your projects, or of one."""
    visible = finding.visible_features(asker(request))
    items, following = paging.by_number(visible.filter(project__slug=project) if project else visible, limit, cursor)
    return Answer({"items": [places.feature_data(item) for item in items], "next_cursor": following})


def _waiting(by: Actor, limit: int, cursor: str | None) -> list[dict[str, Any]]:
    before = paging.place_of(cursor) if cursor else None
    return list(islice(inbox.waiting_for(by, *SHOWN, before=before), limit + 1))


def _past(by: Actor, state: str, limit: int, cursor: str | None) -> list[dict[str, Any]]:
    found = Approval.objects.filter(project__in=access.visible_projects(by), state=state)
    rows = paging.after_cursor(found, cursor, "requested_at").order_by("-requested_at", "-pk")
    return list(rows.values(*SHOWN)[: limit + 1])


def _provider(name: str, project: Project | None) -> dict[str, Any]:
    found = provider_settings.health(project, name)
    can = found.capabilities
    return {
        "name": name,
        "label": found.label,
        "configured": found.configured,
        "simulated": found.simulated,
        "capabilities": {name: getattr(can, name) for name in shapes.Capabilities.model_fields},
        "settings": None if project is None else {part: getattr(found, part) for part in SETTINGS},
    }
