"""What a test asks of a product in another process: one JSON line in, one out, with the product's own settings."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402

from orchestration import plan_rules  # noqa: E402
from orchestration.engine import controlling, deciding, launching, planning  # noqa: E402
from orchestration.models import ExecutionRun, Feature, LogChunk, WorkflowRun  # noqa: E402
from policy.actors import Actor  # noqa: E402
from policy.models import Membership, Project  # noqa: E402


def people(repository: str) -> None:
    project = Project.objects.create(slug="demo", name="Demo", path=repository)
    Feature.objects.create(project=project, slug="search", title="Search")
    for name, role in (("ada", "operator"), ("grace", "approver")):
        user = User.objects.create_user(name, email=f"{name}@example.org")
        Membership.objects.create(project=project, user=user, role=role)


def launch(steps: list[dict[str, Any]]) -> str:
    plan = {"name": "Plan", "project": "demo", "feature": "search", "steps": steps}
    workflow = planning.create_workflow(plan_rules.validate_plan(plan), by=_actor("ada"))
    return str(launching.launch_run(workflow, inputs={}, by=_actor("ada")).pk)


def cancel(run_id: str) -> None:
    controlling.cancel_run(_run(run_id).pk, reason="Enough.", by=_actor("ada"))


def approve(run_id: str, key: str) -> None:
    step = _run(run_id).step_runs.get(key=key)
    assert step.approval is not None
    digest = step.approval.digest
    deciding.decide_approval(
        _run(run_id).pk, key, decision="approve", reason="Fine.", digest=digest, by=_actor("grace")
    )


def look(run_id: str) -> dict[str, Any]:
    run = _run(run_id)
    return {
        "state": run.state,
        "reason": run.state_reason,
        "workspace": run.workspace_path,
        "steps": {step.key: str(step.state) for step in run.step_runs.exclude(state="superseded")},
        "attempts": {step.key: step.attempt for step in run.step_runs.exclude(state="superseded")},
        "taken_up": run.events.filter(type="attempt.taken_up").count(),
        "running": run.step_runs.filter(state="running").count(),
    }


def log_of(run_id: str, key: str) -> str:
    chunks = LogChunk.objects.filter(attempt__run_id=run_id, attempt__step_run__key=key).order_by("id")
    return "".join(chunks.values_list("text", flat=True))


def nudges_left() -> int:
    from procrastinate.contrib.django.models import ProcrastinateJob

    return ProcrastinateJob.objects.count()


def owners(run_id: str) -> list[str]:
    found = ExecutionRun.objects.filter(run_id=run_id).order_by().values_list("owner", flat=True)
    return sorted(set(found))


def end_everything() -> None:
    """Leave no process behind: end what still runs under a supervisor."""
    for attempt in ExecutionRun.objects.filter(finished_at=None):
        pid = (attempt.handle or {}).get("pid")
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)


def ledgers(run_id: str) -> dict[str, list[str]]:
    folder = Path(settings.WORKTREES_DIR) / str(_run(run_id).pk)
    return {path.stem: path.read_text().splitlines() for path in sorted(folder.glob("*.ledger"))}


def _run(run_id: str) -> WorkflowRun:
    return WorkflowRun.objects.get(pk=run_id)


def _actor(name: str) -> Actor:
    return Actor.for_command(User.objects.get(username=name))


def serve() -> None:
    """Answer until there are no more questions. What fails is told to the test, which fails with it."""
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"value": globals()[name](*arguments)}
        except Exception:  # noqa: BLE001 - the test gets it
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    serve()
