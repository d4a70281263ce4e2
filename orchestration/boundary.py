"""Which boundary holds for the code that the steps of a project run.

A project's own requirement wins over what the installation is set to. Where bubblewrap is wanted and does not work,
code does not run at all: `missing` is what the rules are told, and they refuse.
"""

from __future__ import annotations

from typing import Literal

from django.conf import settings

from orchestration.executors import sandbox
from policy.models import Project
from policy.rules import requires_sandbox

Boundary = Literal["none", "bubblewrap"]
WORDS = {
    "none": "no sandbox, as the account of the server",
    "bubblewrap": "bubblewrap: the workspace alone can be written, nothing of the server is seen",
    "missing": "nothing: the sandbox that is wanted does not work here",
}


def wanted(project: Project, revision: int | None = None) -> Boundary:
    """What code has to run in. `revision` is the project's, as read with the run's row."""
    return "bubblewrap" if settings.SANDBOX == "bubblewrap" or requires_sandbox(project, revision) else "none"


def found(project: Project, revision: int | None = None, *, here: bool | None = None) -> Literal[Boundary, "missing"]:
    """The same, or `missing`. `here`: whether steps run in this process; a web server alone can't know, and the
    worker that would start the step looks again."""
    boundary = wanted(project, revision)
    looks = settings.EMBEDDED if here is None else here
    return "missing" if boundary == "bubblewrap" and looks and not sandbox.detect() else boundary


def stricter(one: str, other: str) -> Boundary:
    return "bubblewrap" if "bubblewrap" in (one, other) else "none"
