"""Environment profiles: what a step gets by the name of one, and that policy and approvals see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from pytest_django import Settings

from orchestration.engine.starting import Assignment
from orchestration.invariants import checking
from orchestration.models import WorkflowRun
from orchestration.schema import InvalidPlan
from policy import profiles
from policy.actors import Actor
from tests.orchestration import runs
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db
SHELL = Actor.for_shell()


@pytest.fixture
def team(tmp_path: Path, settings: Settings) -> Team:
    settings.DATA_DIR = tmp_path / "data"
    (tmp_path / "work").mkdir()
    return runs.make_team(tmp_path / "work")


def profile(team: Team, env: Mapping[str, str], secrets: Sequence[str] = ()) -> None:
    profiles.set_profile(team.project, "ci", env=env, secrets=secrets, by=SHELL)


def started(run: WorkflowRun) -> Assignment:
    assignment = runs.start(run)
    assert assignment is not None
    return assignment


def test_the_nearer_word_wins(team: Team) -> None:
    profile(team, {"A": "profile", "B": "profile", "C": "profile"}, ["TOKEN"])
    step = {"env_profile": "ci", "env": {"A": "step"}, "secrets": ["OWN"]}
    run = runs.launch(team, "x", {"x": step}, env={"A": "plan", "B": "plan"})
    definition = started(run).definition
    assert definition["env"] == {"A": "step", "B": "plan", "C": "profile"}
    assert definition["secrets"] == ["OWN", "TOKEN"]
    assert [breach for breach in checking.check(checking.Scope(run_id=run.pk)) if breach.invariant == 24] == []


def test_an_unknown_profile_is_refused_with_its_place(team: Team) -> None:
    with pytest.raises(InvalidPlan) as refused:
        runs.make_workflow(team, "x >> y", {"y": {"env_profile": "ci"}})
    assert refused.value.errors[0]["path"] == "steps[1].env_profile"


def test_one_that_was_removed_since_fails_the_step_with_a_sentence(team: Team) -> None:
    profile(team, {"A": "1"})
    run = runs.launch(team, "x >> y", {"y": {"env_profile": "ci"}})
    profiles.remove_profile(team.project, "ci", SHELL)
    run = runs.settle(run)
    assert run.state == "failed"
    assert "no environment profile 'ci'" in runs.step_of(run, "y").error


def test_policy_judges_what_the_profile_sets(team: Team) -> None:
    profile(team, {"LD_PRELOAD": "/tmp/evil.so"})
    run = runs.launch(team, "x", {"x": {"env_profile": "ci"}})
    assert (run.state, run.state_reason) == ("blocked", "policy")


def test_a_profile_that_changes_after_the_approval_is_asked_again(team: Team) -> None:
    profile(team, {"REMOTE": "origin"})
    run = runs.launch(team, "x", {"x": {"command": "git push origin main", "env_profile": "ci"}})
    runs.decide(team, run, "x")
    profile(team, {"REMOTE": "elsewhere"})
    assert runs.start(run) is None
    run.refresh_from_db()
    assert (run.state, runs.step_of(run, "x").state_reason) == ("blocked", "approval_lapsed")
