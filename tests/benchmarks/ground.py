"""What benchmarks stand on: people, projects in folders and repositories, plans, and an executor that does nothing."""

from __future__ import annotations

import functools
import itertools
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings
from django.contrib.auth.models import User

from orchestration import plan_rules, worker
from orchestration.engine import launching, planning
from orchestration.engine.starting import Assignment
from orchestration.executors.base import Host, Outcome, StepContext
from orchestration.hosting import AttemptHost
from orchestration.models import Feature, Workflow, WorkflowRun
from policy.actors import Actor
from policy.models import Membership, Project
from tests.orchestration.repositories_of_tests import make_repository

OWNER = "benchmark"
Step = dict[str, Any]
_numbers = itertools.count(1)


class NoOp:
    """Python that does nothing: what is left is what a step itself costs."""

    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        return []

    def execute(self, context: StepContext, host: Host) -> Outcome:
        return Outcome("succeeded", exit_code=0)


@contextmanager
def no_op_steps() -> Iterator[None]:
    with mock.patch.object(worker, "executor_for", return_value=NoOp()):
        yield


@functools.cache
def ada() -> Actor:
    user, _ = User.objects.get_or_create(username="ada", defaults={"email": "ada@example.org"})
    return Actor.for_command(user)


def project_in_folder() -> Project:
    return _project(Path(tempfile.mkdtemp(prefix="folder-", dir=settings.DATA_DIR)))


def project_in_repository() -> Project:
    folder = Path(tempfile.mkdtemp(prefix="repository-", dir=settings.DATA_DIR)) / "repository"
    return _project(make_repository(folder, **{f"file{number}": "text\n" for number in range(100)}))


def _project(folder: Path) -> Project:
    slug = f"bench-{next(_numbers)}"
    project = Project.objects.create(slug=slug, name=slug, path=str(folder))
    Membership.objects.create(project=project, user_id=ada().user_id, role="operator")
    Feature.objects.create(project=project, slug="bench", title="Bench")
    return project


def command(key: str, *needs: str, line: str = "true") -> Step:
    return {"key": key, "type": "command", "command": line, "needs": list(needs)}


def check(key: str, *needs: str) -> Step:
    test = {"kind": "expression", "expression": "run.number > 0"}
    return {"key": key, "type": "validation", "checks": [test], "needs": list(needs)}


def chain(length: int, make: Any = command, **more: Any) -> list[Step]:
    return [make(f"s{n}", *([f"s{n - 1}"] if n else []), **more) for n in range(length)]


def fan(width: int) -> list[Step]:
    middle = [f"s{n}" for n in range(width)]
    return [command("first"), *(command(key, "first") for key in middle), command("last", *middle)]


def workflow_of(project: Project, steps: list[Step]) -> Workflow:
    plan = {"name": "Bench", "project": project.slug, "feature": "bench", "steps": steps}
    return planning.create_workflow(plan_rules.validate_plan(plan), by=ada())


def launch(workflow: Workflow) -> WorkflowRun:
    return launching.launch_run(workflow, inputs={}, by=ada())


def begin(run: WorkflowRun) -> Assignment | None:
    return worker.begin(run.pk, owner=OWNER)


def drive(run: WorkflowRun, assignment: Assignment | None) -> None:
    """One worker does the run from this step to its end."""
    while assignment is not None:
        assignment = worker.perform(assignment, AttemptHost(assignment, OWNER))
    require(run, "succeeded")


def require(run: WorkflowRun, state: str) -> None:
    """A figure of a run that failed would be a lie."""
    run.refresh_from_db()
    if run.state != state:
        raise RuntimeError(f"The run is {run.state} ({run.state_reason}), not {state}.")


def wait_until_over(runs: list[WorkflowRun], seconds: float = 120) -> float:
    """Answers when the last one ended, to within a look. Looking must not cost what is measured."""
    until = time.monotonic() + seconds
    waiting = [run.pk for run in runs]
    while WorkflowRun.objects.filter(pk__in=waiting[-1:], finished_at=None).exists() or _unfinished(waiting):
        if time.monotonic() > until:
            raise TimeoutError("The runs did not come to an end.")
        time.sleep(0.01)
    ended = time.perf_counter()
    for run in runs:
        require(run, "succeeded")
    return ended


def _unfinished(waiting: list[uuid.UUID]) -> bool:
    return WorkflowRun.objects.filter(pk__in=waiting, finished_at=None).exists()
