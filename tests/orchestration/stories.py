"""Runs that have lived: one for each thing that can happen to a run, made through the engine's own doors."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from orchestration.artifacts import ArtifactStore
from orchestration.engine import agent_gates, controlling, finishing, overriding, recovering, replanning
from orchestration.engine.door import change_run
from orchestration.executors.base import Outcome, ToolCall
from orchestration.hosting import AttemptHost
from orchestration.models import StepRun, WorkflowRun
from policy import secrets
from policy.actors import Actor
from policy.models import Approval
from tests.orchestration import runs
from tests.orchestration.runs import Team

GATE = {"type": "approval"}
PUSH = {"command": "git push origin main"}
TWICE = {"max_attempts": 2, "backoff_seconds": 0}
SAFE = {"effects": "repeatable", "retry": {"max_attempts": 2, "backoff_seconds": 0}}
AGENT = {"type": "sdk", "provider": "simulated", "prompt": "Look.", "tools": ["read_file"]}
TOKEN = "tok-4e7a9b2c-not-for-eyes"


def plain(team: Team) -> WorkflowRun:
    return runs.settle(runs.launch(team, "a >> b, c >> d"))


def waiting(team: Team) -> WorkflowRun:
    return runs.launch(team, "a >> b")


def working(team: Team) -> WorkflowRun:
    run = runs.launch(team, "a >> b")
    runs.start(run)
    run.refresh_from_db()
    return run


def failed(team: Team) -> WorkflowRun:
    return runs.settle(runs.launch(team, "a >> b >> c"), {"b": runs.BROKEN})


def forgiven(team: Team) -> WorkflowRun:
    return runs.settle(runs.launch(team, "a >> b", {"a": {"continue_on_error": True}}), {"a": runs.BROKEN})


def conditional(team: Team) -> WorkflowRun:
    check = {"type": "validation", "checks": [{"kind": "expression", "expression": "steps.a.state == 'succeeded'"}]}
    return runs.settle(runs.launch(team, "a >> b, v >> c", {"b": {"when": "false"}, "v": check}))


def checkpoint(team: Team) -> WorkflowRun:
    run = runs.settle(runs.launch(team, "a >> g >> b", {"g": {**GATE, "quorum": 2}}))
    runs.decide(team, run, "g")
    runs.decide(team, run, "g", by="edsger")
    return runs.settle(run)


def rejected(team: Team) -> WorkflowRun:
    run = runs.settle(runs.launch(team, "a >> g >> b", {"g": GATE}))
    runs.decide(team, run, "g", decision="reject")
    run.refresh_from_db()
    return run


def pushed(team: Team) -> WorkflowRun:
    run = runs.settle(runs.launch(team, "a >> push", {"push": {**PUSH, "retry": TWICE}}))
    runs.decide(team, run, "push")
    runs.settle(run, {"push": runs.BROKEN})
    recovering.sweep()
    return runs.settle(run)


def pushed_again(team: Team) -> WorkflowRun:
    run = runs.launch(team, "push", {"push": PUSH})
    runs.decide(team, run, "push")
    runs.settle(run, {"push": runs.BROKEN})
    controlling.retry_step(run.pk, "push", reason="Again.", by=team.actor("ada"))
    runs.decide(team, run, "push")
    return runs.settle(run)


def retried(team: Team) -> WorkflowRun:
    run = runs.launch(team, "a >> b", {"a": SAFE})
    for outcome in (runs.BROKEN, runs.LOST):
        runs.settle(run, {"a": outcome})
        recovering.sweep()
    return runs.settle(run)


def resolved(team: Team) -> WorkflowRun:
    run = runs.settle(runs.launch(team, "a >> b"), {"a": runs.LOST})
    controlling.resolve_step(run.pk, "a", outcome="succeeded", reason="I looked.", by=team.actor("grace"))
    return runs.settle(run)


def resumed(team: Team) -> WorkflowRun:
    run = working(team)
    controlling.pause_run(run.pk, reason="Lunch.", by=team.actor("ada"))
    controlling.resume_run(run.pk, reason="Back.", by=team.actor("ada"))
    return run


def paused(team: Team) -> WorkflowRun:
    run = runs.launch(team, "a >> b")
    controlling.pause_run(run.pk, reason="Lunch.", by=team.actor("ada"))
    run.refresh_from_db()
    return run


def canceled(team: Team) -> WorkflowRun:
    run = runs.launch(team, "a >> b")
    assignment = runs.start(run)
    assert assignment is not None
    controlling.cancel_run(run.pk, reason="Stop.", by=team.actor("ada"))
    runs.finish(assignment, Outcome("canceled"))
    run.refresh_from_db()
    return run


def given_back(team: Team) -> WorkflowRun:
    run = runs.launch(team, "a >> b")
    assignment = runs.start(run)
    assert assignment is not None
    runs.finish(assignment, Outcome("never_started"))
    return runs.settle(run)


def skipped(team: Team) -> WorkflowRun:
    run = failed(team)
    controlling.skip_step(run.pk, "b", reason="Not needed.", by=team.actor("ada"))
    return runs.settle(run)


def skipped_checkpoint(team: Team) -> WorkflowRun:
    run = runs.launch(team, "g >> a", {"g": GATE})
    controlling.skip_step(run.pk, "g", reason="We met.", by=team.actor("ada"))
    _elevated(team, run, "g")
    return runs.settle(run)


def replanned(team: Team) -> WorkflowRun:
    run = runs.settle(runs.launch(team, "a >> g", {"g": GATE}))
    steps = runs.make_plan(team, "a >> g >> b", {"g": GATE})["steps"]
    replanning.replan_run(run.pk, steps, reason="One more.", by=team.actor("ada"))
    runs.decide(team, run, "g")
    return runs.settle(run)


def expired(team: Team) -> WorkflowRun:
    run = runs.launch(team, "g", {"g": {**GATE, "expires_after_seconds": 60, "on_expire": "fail"}})
    Approval.objects.filter(state="pending").update(expires_at=timezone.now() - timedelta(hours=1))
    recovering.sweep()
    run.refresh_from_db()
    return run


def denied(team: Team) -> WorkflowRun:
    return runs.settle(runs.launch(team, "a >> b", {"b": {"command": "rm -rf /"}}))


def overridden(team: Team) -> WorkflowRun:
    run = denied(team)
    overriding.override_step(run.pk, "b", reason="The outage needs it.", by=team.actor("ada"))
    _elevated(team, run, "b")
    return runs.settle(run)


def replanned_with_approval(team: Team) -> WorkflowRun:
    run = runs.settle(runs.launch(team, "a >> g >> b", {"g": GATE}))
    steps = runs.make_plan(team, "a >> b")["steps"]
    replanning.replan_run(run.pk, steps, reason="No gate.", by=team.actor("ada"))
    _elevated(team, run, "g")
    return runs.settle(run)


def calling(team: Team) -> WorkflowRun:
    """An agent that stopped at a call which somebody has to allow."""
    run = runs.launch(team, "a >> b", {"a": {**AGENT, "tools": ["run_command"]}})
    assignment = runs.start(run)
    assert assignment is not None
    call = ToolCall("run_command", {"command": "git push origin main"}, "call-1")
    worker = Actor.system("worker")
    change_run(run.pk, worker, lambda change: agent_gates.permit(change, "a", assignment.definition, call))
    runs.finish(assignment, Outcome("checkpoint", reason="policy", error="A call waits."))
    return run


def _elevated(team: Team, run: WorkflowRun, key: str) -> None:
    team.edsger.last_login = timezone.now()
    team.edsger.save(update_fields=["last_login"])
    runs.decide(team, run, key, by="edsger")


def logged(team: Team) -> WorkflowRun:
    """Output with a secret in it, and an artifact."""
    secrets.set_secret(team.project, "TOKEN", TOKEN, Actor.for_shell())
    run = runs.launch(team, "a", {"a": {"secrets": ["TOKEN"]}})
    assignment = runs.start(run) or _approved(team, run)
    host = AttemptHost(assignment, runs.OWNER)
    for offset, line in enumerate((b"one\ntwo\n", f"it is {TOKEN}\n".encode(), "zwei Größen\n".encode())):
        host.log("stdout", line, offset)
    host.finish_log()
    kept = ArtifactStore(Path(settings.ARTIFACTS_DIR)).put(b"what is left")
    artifact = {
        "name": "rest", "kind": "file", "path": "rest.txt", "media_type": "text/plain", "sha256": kept.sha256,
        "size": kept.size, "commit": "", "lineage": {},
    }  # fmt: skip
    left = finishing.Left(artifacts=[artifact])
    finishing.finish_attempt(assignment, runs.DONE, owner=runs.OWNER, left=left, start_next=False)
    run.refresh_from_db()
    return run


def _approved(team: Team, run: WorkflowRun) -> runs.Assignment:
    runs.decide(team, run, "a")
    assignment = runs.start(run)
    assert assignment is not None
    return assignment


def agent(team: Team) -> WorkflowRun:
    run = runs.launch(team, "a", {"a": AGENT})
    assignment = runs.start(run)
    assert assignment is not None
    host = AttemptHost(assignment, runs.OWNER)
    host.emit("tool_call.requested", {"call_id": "1", "turn": 1, "name": "delete_all", "arguments": {}})
    host.emit("tool_call.refused", {"call_id": "1", "name": "delete_all", "reason": "not permitted"})
    host.emit("tool_call.finished", {"call_id": "2", "name": "read_file", "ok": True})
    runs.finish(assignment)
    run.refresh_from_db()
    return run


def queued(team: Team) -> WorkflowRun:
    """The second run in a plain folder waits for the first."""
    return runs.launch(team, "a >> b")


STORIES = (
    plain, working, failed, forgiven, conditional, checkpoint, rejected, pushed, pushed_again, retried, resolved,
    resumed, paused, canceled, given_back, skipped, skipped_checkpoint, replanned, expired, denied, overridden,
    replanned_with_approval, logged, agent, calling, waiting,
)  # fmt: skip


def step(run: WorkflowRun, key: str) -> StepRun:
    return runs.step_of(run, key)
