"""Agent steps through engine and worker: decisions in the middle, budgets, usage, secrets. No model is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from orchestration.agent_hosting import host_for
from orchestration.artifacts import ArtifactStore
from orchestration.engine import controlling, deciding
from orchestration.engine.image import images
from orchestration.models import Artifact, BudgetLedger, ExecutionRun, WorkflowRun
from orchestration.worker import begin, perform
from policy import secrets
from policy.actors import Actor
from policy.errors import SelfApproval
from policy.models import Approval, AuditRecord, Membership
from tests.orchestration import runs
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db
TOOLS = ["read_file", "write_file", "run_command"]


@pytest.fixture
def team(tmp_path: Path, settings: Settings) -> Team:
    for name in ("DATA_DIR", "SPOOL_DIR", "ARTIFACTS_DIR", "WORKTREES_DIR"):
        setattr(settings, name, tmp_path / "data" / name.lower())
    (tmp_path / "work").mkdir()
    settings.DATA_DIR.mkdir(parents=True)
    return runs.make_team(tmp_path / "work")


def agent(prompt: str, **more: Any) -> dict[str, Any]:
    return {"type": "sdk", "provider": "simulated", "prompt": f"Do it.\n{prompt}", "tools": TOOLS, **more}


def ask(command: str, word: str = "tool") -> str:
    return f"!{word} run_command {json.dumps({'command': command})}"


def launch(team: Team, prompt: str, *, plan: Mapping[str, Any] | None = None, **more: Any) -> WorkflowRun:
    return runs.launch(team, "a", {"a": agent(prompt, **more)}, **(plan or {}))


def work(run: WorkflowRun, owner: str = "one") -> WorkflowRun:
    """A worker process does what may be done; one of another name knows nothing of the first."""
    images.take(run.pk)
    while (assignment := begin(run.pk, owner=owner)) is not None:
        perform(assignment, host_for(assignment, owner))
    run.refresh_from_db()
    return run


def waiting(run: WorkflowRun) -> list[Approval]:
    subject = f"step:{runs.step_of(run, 'a').pk}"
    return list(Approval.objects.filter(subject=subject, state="pending").order_by("requested_at", "call_id"))


def decide(team: Team, run: WorkflowRun, approval: Approval, decision: str = "approve", by: str = "grace") -> None:
    deciding.decide_approval(
        run.pk, "a", decision=decision, reason="I looked.", digest=approval.digest, by=team.actor(by),
        approval_id=str(approval.pk),
    )  # fmt: skip


def lines(team: Team, name: str) -> list[str]:
    path = Path(team.project.path) / name
    return path.read_text().splitlines() if path.exists() else []


def told(run: WorkflowRun, kind: str) -> list[dict[str, Any]]:
    return list(run.events.filter(type=kind).order_by("sequence_no").values_list("data", flat=True))


@pytest.fixture
def risky() -> str:
    """A command that the rules ask about, and that leaves a trace of each time it ran."""
    return "echo x >> trace; rm -f nothing"


def test_an_agent_works_and_its_use_is_counted(team: Team) -> None:
    run = work(
        launch(team, '!tool write_file {"path": "a.txt", "content": "hi"}\n!usage 10 5\n!say Done.\n!usage 20 7')
    )
    assert run.state == "succeeded"
    assert (run.input_tokens, run.output_tokens, run.cost_usd) == (30, 12, Decimal(0))
    assert runs.step_of(run, "a").usage["turns"] == 2
    assert BudgetLedger.objects.filter(run=run, kind="used").count() == 2
    assert lines(team, "a.txt") == ["hi"]


def test_a_risky_call_blocks_the_step_and_is_made_once_after_the_decision(team: Team, risky: str) -> None:
    run = work(launch(team, f"{ask(risky)}\n!say Done."))
    assert (run.state, run.state_reason) == ("blocked", "policy")
    assert lines(team, "trace") == []
    [approval] = waiting(run)
    assert approval.facts["call"]["arguments"]["command"] == risky
    decide(team, run, approval)
    assert runs.states(run) == {"a": "ready"}
    assert work(run, "another process").state == "succeeded"
    assert lines(team, "trace") == ["x"]
    approval.refresh_from_db()
    assert approval.state == "consumed"
    assert [data["call_id"] for data in told(run, "tool_call.finished")] == ["c1-1-1"]
    assert ExecutionRun.objects.filter(run=run).count() == 2


def test_two_open_calls_are_two_decisions_and_a_no_goes_back_to_the_agent(team: Team, risky: str) -> None:
    other = "echo y >> other; rm -f nothing"
    run = work(launch(team, f"{ask(risky)}\n{ask(other, 'also')}\n!say Done."))
    first, second = waiting(run)
    decide(team, run, second, "reject")
    assert runs.states(run) == {"a": "awaiting_approval"}
    assert runs.step_of(run, "a").approval == first
    assert work(run).state == "blocked"
    decide(team, run, first)
    assert work(run).state == "succeeded"
    assert (lines(team, "trace"), lines(team, "other")) == (["x"], [])
    assert "a person said no: I looked." in told(run, "tool_call.refused")[0]["reason"]


def test_who_launched_the_run_does_not_decide_its_agents_calls(team: Team, risky: str) -> None:
    run = work(launch(team, ask(risky)))
    Membership.objects.filter(user=team.ada).update(role="approver")
    with pytest.raises(SelfApproval):
        decide(team, run, waiting(run)[0], by="ada")


def test_an_approver_who_lost_the_right_is_found_out_when_the_call_is_made(team: Team, risky: str) -> None:
    run = work(launch(team, f"{ask(risky)}\n!say Done."))
    decide(team, run, waiting(run)[0])
    Membership.objects.filter(user=team.grace).delete()
    assert work(run).state == "blocked"
    assert lines(team, "trace") == []
    decide(team, run, waiting(run)[0], by="edsger")
    assert work(run).state == "succeeded"
    assert lines(team, "trace") == ["x"]


def test_a_denied_call_is_never_made_and_stands_in_the_audit_log(team: Team) -> None:
    run = work(launch(team, f"{ask('sudo touch owned')}\n!say Done."))
    assert run.state == "succeeded"
    assert AuditRecord.objects.filter(run=str(run.pk), action="tool_call.refused", outcome="refused").count() == 1
    assert told(run, "tool_call.finished") == []


def test_canceling_a_blocked_run_withdraws_every_open_call(team: Team, risky: str) -> None:
    run = work(launch(team, f"{ask(risky)}\n{ask(risky, 'also')}"))
    controlling.cancel_run(run.pk, reason="Enough.", by=team.actor("ada"))
    run.refresh_from_db()
    assert run.state == "canceled"
    states = set(Approval.objects.values_list("state", flat=True))
    assert states == {"superseded"}


@pytest.mark.parametrize("scope", ["step", "run", "day"])
def test_a_reached_limit_blocks_until_more_is_approved(team: Team, scope: str) -> None:
    script = "\n".join(['!tool read_file {"path": "x"}\n!usage 6000 3000'] * 2 + ["!say Done.\n!usage 100 100"])
    more: dict[str, Any] = {"budget": {"max_tokens": 9100}} if scope == "step" else {}
    plan = {"budget": {"max_tokens": 9100}} if scope == "run" else {}
    if scope == "day":
        team.project.budget_day_tokens = 9100
        team.project.save()
    run = work(launch(team, script, plan=plan, **more))
    assert (run.state, run.state_reason) == ("blocked", "budget")
    [approval] = waiting_for_budget(run)
    assert approval.facts["budget"]["scope"] == scope
    assert "9,000 tokens of 9,100 tokens used" in approval.reasons[0]["message"]
    decide(team, run, approval)
    assert work(run).state in ("succeeded", "blocked")
    assert run.input_tokens >= 12000


def test_refused_budget_ends_the_step(team: Team) -> None:
    run = work(launch(team, '!tool read_file {"path": "x"}\n!usage 900 90\n!say Done.', budget={"max_tokens": 1000}))
    [approval] = waiting_for_budget(run)
    decide(team, run, approval, "reject")
    run.refresh_from_db()
    assert (run.state, runs.step_of(run, "a").state_reason) == ("failed", "budget")


def test_eighty_percent_is_said_in_the_timeline(team: Team) -> None:
    run = work(
        launch(team, '!tool read_file {"path": "x"}\n!usage 85000 10\n!say Done.', budget={"max_tokens": 100000})
    )
    assert run.state == "succeeded"
    assert [data["message"] for data in told(run, "agent.notice")] == [
        "The budget of this step: 85,010 tokens of 100,000 tokens used."
    ]


def test_no_secret_of_the_project_stays_in_transcript_checkpoint_or_events(team: Team, settings: Settings) -> None:
    Membership.objects.filter(user=team.ada).update(role="admin")
    secrets.set_secret(team.project, "TOKEN", "hunter2hunter2", by=Actor.for_shell())
    run = work(launch(team, "!say The password is hunter2hunter2."))
    assert run.state == "succeeded"
    attempt = ExecutionRun.objects.get(run=run)
    artifact = Artifact.objects.get(run=run, kind="transcript")
    transcript = ArtifactStore(Path(settings.ARTIFACTS_DIR)).read(artifact.sha256, artifact.size).decode()
    assert "[redacted:TOKEN]" in transcript
    assert "hunter2hunter2" not in transcript + json.dumps([attempt.checkpoint, attempt.extension, *told_all(run)])


def waiting_for_budget(run: WorkflowRun) -> list[Approval]:
    return list(Approval.objects.filter(kind="budget", state="pending", project=run.project))


def told_all(run: WorkflowRun) -> list[Any]:
    return list(run.events.values_list("data", flat=True))
