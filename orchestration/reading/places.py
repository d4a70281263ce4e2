"""Projects and features as data."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.models import Feature
from orchestration.reading.plain import Data, moment
from policy.actors import Actor
from policy.models import Membership, Project
from policy.models.access import Role


def projects_data(projects: Sequence[Project], by: Actor) -> list[Data]:
    """With the role that the actor has in each; a superuser is admin everywhere."""
    held = dict(
        Membership.objects.filter(user=by.user_id, project__in=list(projects)).values_list("project_id", "role")
    )
    return [
        {
            "slug": project.slug,
            "name": project.name,
            "role": str(Role.ADMIN) if by.is_superuser or by.owns_installation else held[project.pk],
            "created_at": moment(project.created_at),
        }
        for project in projects
        if by.is_superuser or by.owns_installation or project.pk in held
    ]


def feature_data(feature: Feature) -> Data:
    return {
        "slug": feature.slug,
        "project": feature.project.slug,
        "title": feature.title,
        "status": feature.status,
        "category": feature.category,
        "description": feature.description,
        "created_at": moment(feature.created_at),
        "updated_at": moment(feature.updated_at),
    }
