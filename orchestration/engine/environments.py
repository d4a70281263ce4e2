"""What a command finds in its environment beside the fixed variables: the project's profile, the plan's, its own.

The nearer word wins. Policy judges the result, approvals stand for it, and the worker is given it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.engine.errors import Unfilled
from policy.models import EnvProfile


def with_environment(definition: Mapping[str, Any], plan_env: Mapping[str, str], project_id: int) -> dict[str, Any]:
    """The definition of a step with all that it gets. Raises Unfilled where the project lacks its profile."""
    profile = definition.get("env_profile")
    if definition["type"] != "command" or not (plan_env or profile):
        return dict(definition)
    env, secrets = _held(profile, project_id) if profile else ({}, [])
    own = definition.get("secrets") or []
    return {
        **definition,
        "env": {**env, **plan_env, **definition.get("env", {})},
        "secrets": [*own, *(name for name in secrets if name not in own)],
    }


def profile_names(definition: Mapping[str, Any], project_id: int) -> list[str]:
    """Which variables and secrets a step has from its profile alone."""
    profile = definition.get("env_profile")
    env, secrets = _held(profile, project_id) if profile else ({}, [])
    return sorted({*env, *secrets})


def _held(name: str, project_id: int) -> tuple[dict[str, str], list[str]]:
    found = EnvProfile.objects.filter(project_id=project_id, name=name).values_list("env", "secrets").first()
    if found is None:
        raise Unfilled(f"The project has no environment profile {name!r}; an admin makes it on the project's page.")
    return found
