"""A draft plan for a feature, from its documents as rows. Called by pages and commands; stores nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestration import plan_rules, planner
from orchestration.models import Feature
from policy import access
from policy.access import Permission
from policy.actors import Actor


def draft_plan(feature: Feature, *, by: Actor, path: str = "", provider: str = "simulated") -> dict[str, Any]:
    """The plan as data, valid as it is. Raises PlannerError or InvalidPlan with a sentence."""
    access.require(by, Permission.LAUNCH, feature.project)
    root = Path(feature.project.path)
    found = list(feature.documents.order_by("path"))
    chosen = _inside(root, path) if path else planner.choose_document(found).path
    subject = planner.Subject(
        project=feature.project.slug,
        feature=feature.slug,
        feature_title=feature.title,
        context=planner.context_paths(found, chosen),
    )
    draft = planner.generate_plan(root, chosen, subject=subject, provider=provider)
    plan_rules.validate_plan(draft)
    return draft


def _inside(root: Path, path: str) -> str:
    """A path as people type it: relative to the project's folder, or absolute and below it."""
    given = Path(path)
    return given.relative_to(root).as_posix() if given.is_relative_to(root) else given.as_posix()
