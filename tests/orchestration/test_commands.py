"""The commands about runs: what they print, how they end, and that a refusal is one sentence."""

from __future__ import annotations

import io
import json
import re
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from orchestration import plan_text
from orchestration.engine import starting
from orchestration.management.reconciling import Reconciler
from orchestration.models import ExecutionRun, StepRun, Workflow, WorkflowRun
from orchestration.spawner import host_name
from policy.models import AuditRecord, Rule
from tests.factories import UserFactory
from tests.orchestration import runs, stories
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db
RUN_VERBS = ("pause_run", "resume_run", "cancel_run")
STEP_VERBS = ("retry_step", "skip_step", "approve_step", "reject_step")
OTHERS = (
    "import_workflow", "export_workflow", "start_run", "list_runs", "show_run", "resolve_step", "policy_check",
    "try_rules", "reconcile", "check_runs", "export_report", "create_feature", "generate_plan", "import_features",
    "doctor",
)  # fmt: skip


@pytest.fixture
def team(tmp_path: Path, settings: Any) -> Team:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.ARTIFACTS_DIR, settings.SPOOL_DIR = settings.DATA_DIR / "artifacts", settings.DATA_DIR / "spool"
    return runs.make_team(tmp_path, max_active_runs=100)


def command(name: str, *arguments: object) -> str:
    out = io.StringIO()
    call_command(name, *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def refused(name: str, *arguments: object) -> CommandError:
    with pytest.raises(CommandError) as refusal:
        command(name, *arguments)
    assert "\n" not in str(refusal.value).strip()
    return refusal.value


def ended(name: str, *arguments: object) -> tuple[int, str]:
    """Exit code and output of a command that ends by itself."""
    out = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command(name, *map(str, arguments), stdout=out, stderr=io.StringIO())
    return int(str(end.value.code)), out.getvalue()


def name(run: WorkflowRun) -> str:
    return f"{run.project.slug}#{run.number}"


def by(person: Any, reason: str = "Because.") -> tuple[str, ...]:
    return ("--user", person.username, "--reason", reason)


@pytest.mark.parametrize("verb", [*RUN_VERBS, *STEP_VERBS, *OTHERS])
def test_help_shows_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        call_command(verb, "--help")

    assert end.value.code == 0
    assert f"manage.py {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("verb", RUN_VERBS)
def test_a_verb_needs_a_person_who_may(team: Team, verb: str) -> None:
    run = stories.paused(team) if verb == "resume_run" else stories.waiting(team)

    assert "--user" in str(refused(verb, name(run), "--reason", "No."))
    assert "no active person" in str(refused(verb, name(run), "--user", "nobody", "--reason", "No."))
    assert "no run" in str(refused(verb, name(run), *by(UserFactory())))
    assert "operator" in str(refused(verb, name(run), *by(team.linus)))
    assert "reason" in str(refused(verb, name(run), *by(team.ada, " ")))


@pytest.mark.parametrize("verb", STEP_VERBS)
def test_a_verb_of_a_step_names_what_is_not_there(team: Team, verb: str) -> None:
    run = stories.waiting(team)

    assert re.search("no (such )?step", str(refused(verb, name(run), "ghost", *by(team.grace))))
    assert "no such run" in str(refused(verb, uuid.uuid4(), "a", *by(team.grace)))


def test_pause_and_resume_and_cancel(team: Team) -> None:
    run = stories.waiting(team)

    assert command("pause_run", name(run), *by(team.ada)) == f"Paused. Run {name(run)} is paused (paused).\n"
    assert command("resume_run", run.pk, *by(team.ada)) == f"Resumed. Run {name(run)} is running.\n"
    told = json.loads(command("cancel_run", run.pk, *by(team.ada), "--json"))
    assert (told["id"], told["state"]) == (str(run.pk), "canceled")
    assert "can't pause" in str(refused("pause_run", name(run), *by(team.ada)))
    assert AuditRecord.objects.filter(actor=team.ada.username, run=str(run.pk), outcome="refused").count() == 1


def test_a_failed_step_is_retried_or_skipped(team: Team) -> None:
    run = stories.failed(team)
    assert "is running" in command("retry_step", name(run), "b", *by(team.ada))
    runs.settle(run, {"b": runs.BROKEN})

    assert "Asked to skip step b" in command("skip_step", name(run), "b", *by(team.ada), "--evidence", "ticket-7")
    assert runs.states(run)["b"] == "skipped"
    assert "NAME=VALUE" in str(refused("skip_step", name(run), "c", *by(team.ada), "--output", "x"))


def test_an_interrupted_step_is_resolved(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b"), {"a": runs.LOST})

    assert "resolved: succeeded" in command("resolve_step", name(run), "a", "succeeded", *by(team.grace))
    assert runs.states(run) == {"a": "succeeded", "b": "ready"}
    assert "invalid choice" in str(refused("resolve_step", name(run), "a", "maybe", *by(team.grace)))


def test_a_decision_prints_what_it_is_about(team: Team) -> None:
    run = runs.launch(team, "push", {"push": stories.PUSH})
    digest = runs.step_of(run, "push").digest

    assert "asked for this" in str(refused("approve_step", name(run), "push", *by(team.ada)))
    assert "changed since" in str(refused("approve_step", name(run), "push", *by(team.grace), "--digest", "0" * 64))
    told = command("approve_step", name(run), "push", *by(team.grace))
    assert "git push origin main" in told
    assert digest in told
    assert runs.states(run) == {"push": "ready"}
    assert "ready" in str(refused("approve_step", name(run), "push", *by(team.edsger)))


def test_a_rejection_fails_the_step(team: Team) -> None:
    run = runs.launch(team, "g", {"g": stories.GATE})

    assert "Rejected step g." in command("reject_step", name(run), "g", *by(team.grace, "Not like this."))
    assert runs.states(run) == {"g": "failed"}


def test_a_plan_goes_in_and_comes_out_the_same(team: Team, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(plan_text.write_yaml(runs.make_plan(team, "a >> b")))
    stored = command("import_workflow", file, "--user", team.ada.username).splitlines()[-1]

    first = command("export_workflow", stored)
    file.write_text(first)
    assert json.loads(
        command("import_workflow", file, "--workflow", stored, "--user", team.ada.username, "--json")
    ) == {
        "id": stored,
        "version": 1,
        "digest": Workflow.objects.get(pk=stored).versions.get().digest,
        "steps": 2,
    }
    assert command("export_workflow", stored, "--plan-version", 1) == first
    assert json.loads(command("export_workflow", stored, "--json"))["name"] == "Plan"


def test_a_plan_that_can_not_be_used_is_refused(team: Team, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("name: [")
    assert "plan" in str(refused("import_workflow", file, "--user", team.ada.username))
    file.write_text(plan_text.write_yaml(runs.make_plan(team, "a", {"a": {"needs": ["ghost"]}})))
    assert "ghost" in str(refused("import_workflow", file, "--user", team.ada.username))
    assert "can't be read" in str(refused("import_workflow", tmp_path / "none", "--user", team.ada.username))
    assert "no such workflow" in str(refused("export_workflow", "none"))
    assert not Workflow.objects.exists()


def test_a_run_is_started_with_inputs_of_their_type(team: Team) -> None:
    inputs = {"count": {"type": "number", "required": True}, "name": {"type": "string", "default": "x"}}
    workflow = runs.make_workflow(team, "a", inputs=inputs)

    told = command("start_run", workflow.pk, "--input", "count=3", "--input", "name=7", "--user", team.ada.username)
    run = WorkflowRun.objects.get()
    assert told == f"Started {name(run)}, id {run.pk}.\n"
    assert run.inputs == {"count": 3, "name": "7"}
    for wrong in ("count=three", "ghost=1"):
        assert "input" in str(refused("start_run", workflow.pk, "--input", wrong, "--user", team.ada.username))
    assert refused("start_run", workflow.pk, "--input", "count", "--user", team.ada.username).returncode == 2
    assert WorkflowRun.objects.count() == 1


def test_waiting_exits_by_the_result(team: Team) -> None:
    check = {"type": "validation", "checks": [{"kind": "expression", "expression": "inputs.ok"}]}
    workflow = runs.make_workflow(team, "v", {"v": check}, inputs={"ok": {"type": "boolean", "required": True}})

    told = command("start_run", workflow.pk, "--input", "ok=true", "--user", team.ada.username, "--wait")
    assert told.splitlines()[1:] == ["  step v: succeeded", "  run: succeeded"]
    failed = refused("start_run", workflow.pk, "--input", "ok=false", "--user", team.ada.username, "--wait")
    assert (failed.returncode, str(failed)) == (1, f"Run {team.project.slug}#2 is failed (validation).")


def test_waiting_gives_up_in_time(team: Team) -> None:
    workflow = runs.make_workflow(team, "a")

    late = refused("start_run", workflow.pk, "--user", team.ada.username, "--wait", "--timeout", "0")
    assert "is running" in str(late)


def test_runs_are_listed_and_shown(team: Team) -> None:
    first, second = stories.failed(team), stories.waiting(team)

    lines = command("list_runs").splitlines()
    assert [line.split()[0] for line in lines] == [name(second), name(first)]
    assert [run["id"] for run in json.loads(command("list_runs", "--state", "failed", "--json"))] == [str(first.pk)]
    assert command("list_runs", "--user", UserFactory().username) == "No runs.\n"
    shown = command("show_run", name(first))
    assert "b                        failed (exit), attempt 1" in shown
    assert command("show_run", first.pk) == shown
    assert json.loads(command("show_run", name(first), "--json"))["state"] == "failed"
    assert "no run" in str(refused("show_run", f"{team.project.slug}#99"))
    assert "no such run" in str(refused("show_run", "99"))
    assert refused("list_runs", "--limit", 0).returncode == 2


def test_a_report_is_written_and_the_same_each_time(team: Team, tmp_path: Path) -> None:
    run = stories.pushed(team)
    for ending in ("json", "md", "html"):
        command("export_report", name(run), tmp_path / f"one.{ending}")
        command("export_report", name(run), tmp_path / f"two.{ending}")
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    assert json.loads((tmp_path / "one.json").read_text())["run"]["id"] == str(run.pk)
    assert refused("export_report", name(run), tmp_path / "report.pdf").returncode == 2
    assert "can't be written" in str(refused("export_report", name(run), tmp_path / "none" / "report.md"))


def test_policy_says_what_it_would_decide(team: Team) -> None:
    slug = team.project.slug

    assert command("policy_check", slug, "--command", "ls").startswith("allow, risk low\n")
    told = json.loads(command("policy_check", slug, "--command", "rm -rf /", "--json"))
    assert told["verdict"] == "deny"
    assert "no project" in str(refused("policy_check", "ghost", "--command", "ls"))
    assert not StepRun.objects.exists()


def test_a_rule_is_tried_on_what_really_ran(team: Team, tmp_path: Path) -> None:
    run = stories.plain(team)
    slug, rule = team.project.slug, ("--condition", "step.key == 'b'", "--verdict", "deny", "--risk", "high")

    told = command("try_rules", slug, "--last", 10, *rule).splitlines()
    assert told == [f"{name(run)} b: allow (low) -> deny (high)", "1 of 4 steps would have another verdict."]
    file = tmp_path / "rule.yaml"
    file.write_text("name: no-c\ncondition: step.key == 'c'\nverdict: require_approval\n")
    changed = json.loads(command("try_rules", slug, "--last", 10, "--rule", file, "--json"))["changed"]
    assert [(one["step"], one["after"]["verdict"]) for one in changed] == [("c", "require_approval")]
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--condition", "step.key =="), "condition"),
        (("--condition", "true"), "verdict"),
        (("--verdict", "deny"), "condition"),
        (("--verdict", "deny", "--condition", "true", "--last", "0"), "--last"),
        (("--rule", "no-such-file.yaml"), "can't be read"),
    ],
)
def test_a_rule_that_can_not_be_tried_is_refused(team: Team, arguments: tuple[str, ...], word: str) -> None:
    if arguments[0] == "--condition" and "==" in arguments[1]:
        arguments = (*arguments, "--verdict", "deny")
    assert word in str(refused("try_rules", team.project.slug, *arguments))


def test_check_runs_exits_by_what_it_found(team: Team) -> None:
    run = stories.plain(team)
    assert command("check_runs") == ""

    StepRun.objects.filter(run=run, key="a").update(token=9)
    code, told = ended("check_runs", "--run", name(run))
    assert code == 2
    assert json.loads(told) == {
        "invariant": 9,
        "severity": "error",
        "run": str(run.pk),
        "step": "a",
        "message": "The step's token is 9, its newest attempt's 1.",
    }
    other = stories.working(team)
    assert command("check_runs", "--run", other.pk) == ""
    ExecutionRun.objects.filter(run=other).update(lease_expires_at=timezone.now() - timedelta(hours=1))
    assert ended("check_runs", "--run", other.pk)[0] == 1
    assert "no project" in str(refused("check_runs", "--project", "ghost"))


def test_reconcile_does_what_is_due(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a", {"a": stories.SAFE}), {"a": runs.BROKEN})
    assert runs.states(run) == {"a": "retry_wait"}

    assert "Repaired 1 rows" in command("reconcile")
    assert runs.states(run) == {"a": "ready"}
    assert json.loads(command("reconcile", "--json")) == {"repaired": 0, "adopted": 0, "left": 0, "providers": []}


@pytest.mark.django_db(transaction=True)
def test_reconcile_settles_what_a_dead_worker_never_began(team: Team) -> None:
    run = runs.launch(team, "a >> b")
    dead = f"{host_name()[:40]}|1|long-ago|word"
    assert starting.start_step(run.pk, owner=dead) is not None

    assert Reconciler(10).adopt_orphans() == (1, 0)
    assert runs.states(run) == {"a": "ready", "b": "pending"}


@pytest.mark.django_db(transaction=True)
def test_reconcile_leaves_what_another_machine_does(team: Team) -> None:
    run = runs.launch(team, "a >> b")
    starting.start_step(run.pk, owner="elsewhere|1|long-ago|word")
    ExecutionRun.objects.update(lease_expires_at=timezone.now() - timedelta(hours=1))

    assert Reconciler(1).adopt_orphans() == (0, 1)
    assert runs.states(run) == {"a": "running", "b": "pending"}
