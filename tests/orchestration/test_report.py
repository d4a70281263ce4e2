"""The report tells all of it: plans, retries, skips, commits, redactions, and whether the record is whole."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

from orchestration import report_facts, reports
from orchestration.engine import controlling, replanning
from policy import secrets
from policy.actors import Actor
from tests.orchestration import runs
from tests.orchestration.repositories_of_tests import make_repository
from tests.orchestration.runs import Team
from tests.orchestration.worktree_runs import work
from tests.policy.tampering import execute
from tests.workbench.pages import say, signed_in, text_of, url

pytestmark = pytest.mark.django_db
TOKEN = "tok-4e7a9b2c-secret"


@pytest.fixture
def team(tmp_path: Path, settings: Settings) -> Team:
    for name in ("DATA_DIR", "WORKTREES_DIR", "SPOOL_DIR", "ARTIFACTS_DIR"):
        setattr(settings, name, tmp_path / name.lower())
    settings.DATA_DIR.mkdir()
    return runs.make_team(make_repository(tmp_path / "repository"))


def test_it_names_plans_retries_skips_commits_and_redactions(team: Team) -> None:
    secrets.set_secret(team.project, "TOKEN", TOKEN, by=Actor.for_shell())
    says = f"echo one > a.txt; echo {TOKEN}; test -e again.txt || {{ touch again.txt; exit 1; }}"
    run = work(runs.launch(team, "a >> b >> c", {"a": {"command": says}}, description="Try it all."))
    steps = runs.make_plan(team, "a >> d >> c", {"a": {"command": says}, "d": {"command": "echo two > d.txt"}})["steps"]
    replanning.replan_run(run.pk, steps, reason="B is not needed.", by=team.actor("ada"))
    controlling.skip_step(run.pk, "c", reason="Done by hand.", evidence="ticket 7", by=team.actor("ada"))
    controlling.retry_step(run.pk, "a", reason="The network is back.", by=team.actor("ada"))
    run = work(run)
    assert run.state == "succeeded"
    told = reports.report_of(run)
    assert [(plan["version"], plan["reason"]) for plan in told["plan_versions"]] == [(1, ""), (2, "B is not needed.")]
    assert [(one["step_key"], one["reason"]) for one in told["retries"]] == [("a", "The network is back.")]
    assert [(one["step_key"], one["evidence"]) for one in told["skips"]] == [("c", "ticket 7")]
    assert [one["message"].partition(": ")[2] for one in told["commits"]] == ["a", "d"]
    assert told["commits"][-1]["commit"] == run.workspace_commit == told["run"]["workspace"]["commit"]
    assert told["redactions"] == [{"name": "TOKEN", "count": 2}]
    assert told["audit"]["chain"] == "whole"
    for form in ("json", "md", "html"):
        text = reports.written(told, form).decode()
        assert all(word in text for word in ("Try it all", "B is not needed", "ticket 7", "TOKEN"))
        assert TOKEN not in text
    page = text_of(signed_in(team.linus).get(url(run, "report/")))
    assert all(word in page for word in ("The network is back.", f"Run {run.number}: d", "TOKEN (2)", "chain between"))


def test_output_of_an_open_attempt_is_not_counted_for_it_changes_without_an_event(team: Team) -> None:
    run = runs.launch(team, "a")
    assignment = runs.start(run)
    assert assignment is not None
    say(run, "a", "[redacted:TOKEN]\n")
    assert report_facts.redactions(run) == []
    runs.finish(assignment)
    assert report_facts.redactions(run) == [{"name": "TOKEN", "count": 1}]


def test_a_record_that_was_changed_shows_in_the_report(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a"))
    last = reports.report_of(run)["audit"]["last"]
    execute("UPDATE policy_auditrecord SET reason = 'Another.' WHERE sequence = %s", last)
    assert reports.report_of(run)["audit"]["chain"].startswith(f"Record {last} was changed")


def test_the_command_writes_the_zip_too(team: Team, tmp_path: Path) -> None:
    run = work(runs.launch(team, "a"))
    call_command("export_report", f"{team.project.slug}#{run.number}", str(tmp_path / "r.zip"))
    assert "SHA256SUMS" in zipfile.ZipFile(tmp_path / "r.zip").namelist()
