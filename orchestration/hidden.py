"""What nobody may read in anything that a step left: the secrets of its project and the keys of its providers."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration import provider_settings
from policy import secrets
from policy.models import Project
from policy.redaction import redact_text


def values_of(project: Project) -> Mapping[str, str]:
    """Every one of the project: a value that a step was not given may still reach its output."""
    return {**secrets.reveal_all(project), **provider_settings.keys_of(project)}


def shown(project: Project, text: str) -> str:
    """The text as it may be shown. Files are stored as they were written, so this is for where they are looked at."""
    return redact_text(text, values_of(project))
