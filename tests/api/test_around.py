"""Single runs, decisions that wait, policy checks, and what surrounds runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration import provider_settings
from orchestration.api import answers
from orchestration.models import Step, Workflow, WorkflowRun
from policy.actors import Actor
from tests.api.people import Caller, problem_of, with_token
from tests.factories import UserFactory, member
from tests.orchestration import runs
from tests.orchestration.runs import Team

GATE = {"gate": {"type": "approval"}}


def command(team: Team, line: str = "true", **more: Any) -> dict[str, Any]:
    return {"project": team.project.slug, "feature": team.feature.slug, "command": line, **more}


def test_a_single_command_needs_no_plan(team: Team, ada: Caller) -> None:
    answer = ada.post("/runs", command(team, "echo hello"))
    assert answer.status_code == 201
    told = answer.json()
    answers.Run.model_validate(told)
    assert (told["mode"], told["state"], [step["type"] for step in told["steps"]]) == ("simple", "running", ["command"])
    assert told["steps"][0]["name"] == "echo hello"
    assert ada.get(f"/runs/{told['id']}").json() == told
    assert ada.get(f"/workflow-runs/{told['id']}").json() == told


@pytest.mark.parametrize(
    "work",
    [
        {"provider": "simulated", "prompt": "Say hello."},
        {"type": "sdk", "provider": "simulated", "prompt": "Say hello."},
        {"step": {"type": "sdk", "provider": "simulated", "prompt": "Say hello."}},
    ],
)
def test_a_single_agent_call_may_be_written_in_several_ways(team: Team, ada: Caller, work: dict[str, Any]) -> None:
    body = {"project": team.project.slug, "feature": team.feature.slug, **work}
    told = ada.post("/runs", body).json()
    assert (told["steps"][0]["type"], told["steps"][0]["provider"]) == ("sdk", "simulated")


def test_a_risky_single_command_waits_for_somebody_else(team: Team, ada: Caller, grace: Caller) -> None:
    told = ada.post("/runs", command(team, "rm -rf build")).json()
    assert told["state"] == "blocked"
    word = {"decision": "approve", "reason": "Fine.", "digest": told["steps"][0]["approval"]["digest"]}
    assert grace.post(f"/runs/{told['id']}/approve", word).json()["state"] == "running"


def test_a_single_run_is_canceled_and_done_again(team: Team, ada: Caller) -> None:
    first = ada.post("/runs", command(team)).json()
    assert ada.send(f"/runs/{first['id']}/cancel", b"").json()["state"] == "canceled"
    second = ada.post("/runs", command(team)).json()
    runs.settle(WorkflowRun.objects.get(pk=second["id"]), {"run": runs.BROKEN})
    assert ada.send(f"/runs/{second['id']}/retry", b"").json()["steps"][0]["state"] == "ready"
    assert [item["id"] for item in ada.get("/runs").json()["items"]] == [second["id"], first["id"]]


def test_an_orchestrated_run_is_no_single_run(team: Team, ada: Caller) -> None:
    run = runs.launch(team, "a")
    problem_of(ada.get(f"/runs/{run.pk}"), 404)
    problem_of(ada.post(f"/runs/{run.pk}/cancel"), 404)


@pytest.mark.parametrize("fault", [{"needs": ["x"]}, {"command": ""}, {"provider": "simulated"}, {"feature": 3}])
def test_a_faulty_single_run_is_refused(team: Team, ada: Caller, fault: dict[str, Any]) -> None:
    told = problem_of(ada.post("/runs", {**command(team), **fault}), 422)
    assert told["errors"][0]["path"] == next(iter(fault))
    assert not Workflow.objects.exists()


def test_what_waits_is_listed_for_those_who_may_decide_it(
    team: Team, ada: Caller, grace: Caller, linus: Caller, stranger: Caller
) -> None:
    run = runs.settle(runs.launch(team, "first >> gate", GATE))
    told = grace.get("/approvals").json()["items"]
    assert [(item["run_id"], item["step_key"], item["project"]) for item in told] == [
        (str(run.pk), "gate", team.project.slug)
    ]
    answers.WaitingApproval.model_validate(told[0])
    for other in (ada, linus, stranger):
        assert other.get("/approvals", state="pending").json()["items"] == []


def test_what_one_has_decided_waits_no_longer(team: Team, grace: Caller) -> None:
    run = runs.settle(runs.launch(team, "gate", {"gate": {"type": "approval", "quorum": 2}}))
    item = grace.get("/approvals").json()["items"][0]
    word = {"step_key": "gate", "decision": "approve", "reason": "Fine.", "digest": item["digest"]}
    assert grace.post(f"/workflow-runs/{run.pk}/approve", word).json()["state"] == "blocked"
    assert grace.get("/approvals").json()["items"] == []
    assert len(with_token(team.edsger).get("/approvals").json()["items"]) == 1


def test_a_second_account_of_who_asked_does_not_see_it_wait(team: Team) -> None:
    double = member(team.project, "approver", email=team.ada.email.upper())
    runs.settle(runs.launch(team, "gate", GATE))
    assert with_token(double).get("/approvals").json()["items"] == []


def test_named_people_and_groups_see_what_waits_for_them(team: Team) -> None:
    named = member(team.project, "viewer", username="named")
    outsider = UserFactory(username="outsider")
    runs.settle(runs.launch(team, "gate", {"gate": {"type": "approval", "approvers": ["user:named", "user:outsider"]}}))
    assert len(with_token(named).get("/approvals").json()["items"]) == 1
    assert with_token(outsider).get("/approvals").json()["items"] == []
    assert with_token(team.grace).get("/approvals").json()["items"] == []


def test_what_was_decided_can_be_looked_up_in_portions(team: Team, grace: Caller, linus: Caller) -> None:
    for _ in range(3):
        run = runs.settle(runs.launch(team, "gate", GATE))
        runs.decide(team, run, "gate", decision="reject")
        run.refresh_from_db()
    first = linus.get("/approvals", state="rejected", limit=2).json()
    second = linus.get("/approvals", state="rejected", limit=2, cursor=first["next_cursor"]).json()
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (2, 1, None)
    assert first["items"][0]["decisions"][0]["decision"] == "reject"


def test_waiting_decisions_come_in_portions(team: Team, grace: Caller) -> None:
    gates = {f"g{n}": {"type": "approval"} for n in range(5)}
    runs.settle(runs.launch(team, ", ".join(gates), gates))
    seen: list[str] = []
    cursor = None
    for expected in (2, 2, 1):
        query = {"cursor": cursor} if cursor else {}
        told = grace.get("/approvals", limit=2, **query).json()
        assert len(told["items"]) == expected
        seen += [item["id"] for item in told["items"]]
        cursor = told["next_cursor"]
    assert cursor is None
    assert len(set(seen)) == 5


def test_policy_can_be_asked_about_a_step_before_it_is_written(team: Team, linus: Caller) -> None:
    for line, verdict in (("true", "allow"), ("rm -rf build", "require_approval")):
        body = {"project": team.project.slug, "step": {"type": "command", "command": line, "needs": ["elsewhere"]}}
        told = linus.post("/policy-check", body).json()
        answers.Policy.model_validate(told)
        assert told["verdict"] == verdict
    assert not Step.objects.exists()


def test_policy_is_not_told_to_strangers(team: Team, stranger: Caller) -> None:
    body = {"project": team.project.slug, "step": {"type": "command", "command": "true"}}
    problem_of(stranger.post("/policy-check", body), 404)


def test_a_faulty_step_of_a_policy_check_is_named(team: Team, linus: Caller) -> None:
    told = problem_of(linus.post("/policy-check", {"project": team.project.slug, "step": {"type": "command"}}), 422)
    assert told["errors"][0]["path"] == "step.command"


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"type": "sdk", "provider": "nobody", "prompt": "x"}, "step.provider"),
        ({"type": "sdk", "provider": "simulated", "prompt": "x", "tools": ["fly"]}, "step.tools[0]"),
        ({"type": "command", "command": "ls", "cwd": "../.."}, "step.cwd"),
        ({"type": "command", "command": "ls", "when": "1 +"}, "step.when"),
        ({"type": "validation", "checks": [{"kind": "file", "path": "/etc/passwd"}]}, "step.checks[0].path"),
    ],
)
def test_a_step_that_no_plan_would_take_has_no_verdict(
    team: Team, linus: Caller, step: dict[str, Any], path: str
) -> None:
    told = problem_of(linus.post("/policy-check", {"project": team.project.slug, "step": step}), 422)
    assert [error["path"] for error in told["errors"]] == [path]


def test_what_a_step_names_of_a_plan_that_is_not_there_yet_is_no_fault(team: Team, linus: Caller) -> None:
    env = {"A": "${{ steps.build.outputs.path }}", "B": "${{ inputs.target }}"}
    step = {"type": "command", "command": "true", "env": env, "when": "steps.build.state == 'succeeded'"}
    told = linus.post("/policy-check", {"project": team.project.slug, "step": step}).json()
    assert told["verdict"] == "allow"


def test_projects_and_features_are_those_one_may_see(team: Team, linus: Caller) -> None:
    runs.make_team(team.project.path, slug="elsewhere")  # type: ignore[arg-type]
    told = linus.get("/projects").json()["items"]
    assert [(project["slug"], project["role"]) for project in told] == [(team.project.slug, "viewer")]
    answers.Project.model_validate(told[0])
    features = linus.get("/features", project=team.project.slug).json()["items"]
    assert [feature["slug"] for feature in features] == ["search"]
    answers.Feature.model_validate(features[0])
    assert linus.get("/features", project="elsewhere").json()["items"] == []


def test_providers_say_what_they_can_do_and_whether_they_are_configured(linus: Caller) -> None:
    told = {provider["name"]: provider for provider in linus.get("/providers").json()["items"]}
    assert told.keys() >= {"openai", "anthropic", "simulated"}
    assert (told["simulated"]["configured"], told["simulated"]["simulated"]) == (True, True)
    assert told["openai"]["configured"] is False
    for provider in told.values():
        answers.Provider.model_validate(provider)
        assert provider["settings"] is None


def test_providers_of_a_project_say_what_counts_there_and_never_a_key(
    team: Team, linus: Caller, stranger: Caller, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    admin = member(team.project, "admin")
    provider_settings.set_provider(
        team.project, "openai", by=Actor.for_command(admin), base_url="http://127.0.0.1:11434/v1", model="llama",
        foreground=True, key="sk-test-0123456789abcdef",
    )  # fmt: skip
    answer = linus.get("/providers", project=team.project.slug)
    told = {provider["name"]: provider for provider in answer.json()["items"]}
    for provider in told.values():
        answers.Provider.model_validate(provider)
    assert told["openai"]["configured"] is True
    assert told["openai"]["settings"] == {
        "source": "project", "base_url": "http://127.0.0.1:11434/v1", "model": "llama", "key": "…cdef",
        "foreground": True, "problems": [],
    }  # fmt: skip
    assert (told["openai"]["capabilities"]["resume"], told["openai"]["capabilities"]["background"]) == (False, False)
    assert told["anthropic"]["settings"]["problems"] == ["No API key is set for anthropic."]
    assert b"sk-test" not in answer.content
    assert linus.get("/providers").json()["items"][0]["settings"] is None
    problem_of(stranger.get("/providers", project=team.project.slug), 404)
    problem_of(linus.get("/providers", project="elsewhere"), 404)


def test_what_was_refused_leaves_nothing_behind_that_the_next_run_could_be_taken_for(team: Team, ada: Caller) -> None:
    folder, team.project.path = team.project.path, "/nowhere/at/all"
    team.project.save()
    problem_of(ada.post("/runs", command(team, "echo first")), 409)
    team.project.path = folder
    team.project.save()
    told = ada.post("/runs", command(team, "echo second")).json()
    assert told["steps"][0]["name"] == "echo second"
    assignment = runs.start(WorkflowRun.objects.get(pk=told["id"]))
    assert assignment is not None
    assert assignment.definition["command"] == "echo second"
