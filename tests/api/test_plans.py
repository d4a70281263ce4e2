"""Plans through the API: stored, looked at, tried out, run."""

from __future__ import annotations

import pytest

from orchestration.models import Workflow, WorkflowRun
from tests.api.people import Caller, problem_of
from tests.orchestration import runs
from tests.orchestration.runs import Team

RISKY = {"b": {"command": "rm -rf build"}}


@pytest.fixture
def plan(team: Team) -> dict[str, object]:
    return runs.make_plan(team, "a >> b, c", RISKY)


def test_a_plan_becomes_a_workflow_with_the_policy_of_each_step(ada: Caller, plan: dict[str, object]) -> None:
    answer = ada.post("/workflows", plan)
    assert answer.status_code == 201
    told = answer.json()
    assert [step["key"] for step in told["steps"]] == ["a", "b", "c"]
    assert told["steps"][0]["policy"]["verdict"] == "allow"
    assert told["steps"][1]["policy"]["verdict"] != "allow"
    assert {"code", "message", "rule"} == told["steps"][1]["policy"]["reasons"][0].keys()
    assert told["edges"] == [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]
    assert (told["version"], told["name"]) == (1, "Plan")
    assert told["created_at"].endswith("Z")


def test_a_stored_workflow_reads_as_it_was_answered(ada: Caller, plan: dict[str, object]) -> None:
    created = ada.post("/workflows", plan).json()
    assert ada.get(f"/workflows/{created['id']}").json() == created


def test_an_edited_plan_is_the_next_version_and_the_first_can_still_be_read(
    ada: Caller, plan: dict[str, object]
) -> None:
    created = ada.post("/workflows", plan).json()
    edited = ada.post(f"/workflows/{created['id']}/versions", {**plan, "name": "Better"}).json()
    assert (edited["version"], edited["name"]) == (2, "Better")
    assert ada.get(f"/workflows/{created['id']}", version=1).json()["digest"] == created["digest"]
    problem_of(ada.get(f"/workflows/{created['id']}", version=3), 404)


def test_every_fault_of_a_plan_is_named_with_its_place(ada: Caller, plan: dict[str, object]) -> None:
    steps = [{"type": "command", "command": "true", "needs": ["nowhere"]}, {"type": "command", "colour": "red"}]
    told = problem_of(ada.post("/workflows", {**plan, "steps": steps}), 422)
    assert {"steps[1].command", "steps[1].colour"} <= {error["path"] for error in told["errors"]}
    told = problem_of(ada.post("/workflows", {**plan, "steps": steps[:1]}), 422)
    assert told["errors"][0]["path"] == "steps[0].needs[0]"
    assert not Workflow.objects.exists()


def test_a_plan_can_be_tried_out_and_nothing_is_stored(ada: Caller, plan: dict[str, object]) -> None:
    told = ada.post("/workflows/validate", plan).json()
    assert told["valid"] is True
    assert told["steps"][1]["policy"]["verdict"] != "allow"
    assert told["edges"] == [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]
    assert not Workflow.objects.exists()


@pytest.mark.parametrize("change", [{"steps": []}, {"colour": "red"}, {"name": "\u0007"}, {"project": "elsewhere"}])
def test_trying_out_a_faulty_plan_says_what_is_wrong(
    ada: Caller, plan: dict[str, object], change: dict[str, object]
) -> None:
    answer = ada.post("/workflows/validate", {**plan, **change})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["valid"], told["steps"]) == (False, [])
    assert told["errors"][0]["path"] == next(iter(change))


def test_an_unknown_project_and_one_of_others_look_the_same(
    ada: Caller, stranger: Caller, plan: dict[str, object]
) -> None:
    unknown = problem_of(ada.post("/workflows", {**plan, "project": "elsewhere"}), 404)
    foreign = problem_of(stranger.post("/workflows", plan), 404)
    assert unknown["detail"].replace("elsewhere", "") == foreign["detail"].replace(str(plan["project"]), "")


def test_a_viewer_may_not_store_a_plan(linus: Caller, plan: dict[str, object]) -> None:
    assert problem_of(linus.post("/workflows", plan), 403)["code"] == "not_allowed"
    assert not Workflow.objects.exists()


def test_a_run_starts_with_its_inputs(team: Team, ada: Caller) -> None:
    workflow = runs.make_workflow(team, "a", inputs={"tag": {"type": "string", "required": True}})
    told = problem_of(ada.post(f"/workflows/{workflow.pk}/runs", {"inputs": {"tab": "1"}}), 422)
    assert [error["path"] for error in told["errors"]] == ["inputs.tab", "inputs.tag"]
    answer = ada.post(f"/workflows/{workflow.pk}/runs", {"inputs": {"tag": "v1"}})
    assert answer.status_code == 201
    assert answer.json()["inputs"] == {"tag": "v1"}
    assert WorkflowRun.objects.count() == 1


def test_a_run_without_inputs_needs_no_body(team: Team, ada: Caller) -> None:
    workflow = runs.make_workflow(team, "a")
    assert ada.send(f"/workflows/{workflow.pk}/runs", b"").status_code == 201


def test_a_gate_that_nobody_could_release_is_refused_at_launch(team: Team, ada: Caller) -> None:
    workflow = runs.make_workflow(team, "a", {"a": {"type": "approval", "quorum": 3}})
    told = problem_of(ada.post(f"/workflows/{workflow.pk}/runs"), 409)
    assert told["code"] == "no_eligible_approver"
    assert not WorkflowRun.objects.exists()


def test_lists_are_newest_first_and_come_in_portions(team: Team, ada: Caller) -> None:
    made = [str(runs.make_workflow(team, "a").pk) for _ in range(5)][::-1]
    first = ada.get("/workflows", project=team.project.slug, limit=2).json()
    second = ada.get("/workflows", limit=2, cursor=first["next_cursor"]).json()
    third = ada.get("/workflows", limit=2, cursor=second["next_cursor"]).json()
    assert [item["id"] for portion in (first, second, third) for item in portion["items"]] == made
    assert third["next_cursor"] is None


def test_lists_hold_only_what_one_may_see(team: Team, stranger: Caller, ada: Caller) -> None:
    runs.launch(team, "a")
    for path in ("/workflows", "/workflow-runs", "/projects", "/features", "/runs"):
        assert stranger.get(path).json() == {"items": [], "next_cursor": None}
    assert len(ada.get("/workflow-runs").json()["items"]) == 1


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 501}, {"limit": "many"}, {"cursor": "here"}])
def test_a_portion_that_makes_no_sense_is_refused(ada: Caller, query: dict[str, object]) -> None:
    told = problem_of(ada.get("/workflows", **query), 422)
    assert told["errors"][0]["path"] == next(iter(query))
