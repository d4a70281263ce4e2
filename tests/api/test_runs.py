"""A run through the API: looked at, decided, stopped, repaired."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration.api import answers
from orchestration.models import WorkflowRun
from policy.models import AuditRecord
from tests.api.people import Caller, at_browser, problem_of, with_token
from tests.orchestration import runs
from tests.orchestration.runs import Team

GATE = {"gate": {"type": "approval"}}
TIME_FIELDS = {"created_at", "started_at", "finished_at", "due_at", "requested_at", "expires_at", "decided_at", "at"}


@pytest.fixture
def waiting(team: Team) -> WorkflowRun:
    """Blocked at its gate."""
    return runs.settle(runs.launch(team, "first >> gate >> last", GATE))


def at(run: WorkflowRun, deed: str = "") -> str:
    return f"/workflow-runs/{run.pk}{deed}"


def word(run: WorkflowRun, decision: str = "approve", **more: Any) -> dict[str, Any]:
    """A decision on the gate, as a person would send it."""
    digest = runs.step_of(run, "gate").approval.digest  # type: ignore[union-attr]
    return {"step_key": "gate", "decision": decision, "reason": "I looked.", "digest": digest, **more}


def moments(told: Any) -> list[str]:
    if isinstance(told, list):
        return [moment for inner in told for moment in moments(inner)]
    if not isinstance(told, dict):
        return []
    own = [told[name] for name in TIME_FIELDS & told.keys() if told[name]]
    return own + [moment for inner in told.values() for moment in moments(inner)]


def test_a_run_is_told_with_all_its_steps(linus: Caller, waiting: WorkflowRun) -> None:
    told = linus.get(at(waiting)).json()
    assert (told["state"], told["state_reason"], told["current_step"]) == ("blocked", "approval", "gate")
    assert [(step["key"], step["needs"], step["state"]) for step in told["steps"]] == [
        ("first", [], "succeeded"),
        ("gate", ["first"], "awaiting_approval"),
        ("last", ["gate"], "pending"),
    ]
    gate = told["steps"][1]
    assert gate["approval"] == gate["approvals"][0]
    assert (gate["approval"]["state"], gate["approval"]["kind"]) == ("pending", "checkpoint")
    assert told["last_sequence_no"] == waiting.last_sequence_no
    assert {"approve", "cancel", "pause"} <= set(told["allowed_actions"])
    answers.Run.model_validate(told)


def test_times_are_in_utc_and_say_so(linus: Caller, waiting: WorkflowRun) -> None:
    found = moments(linus.get(at(waiting)).json())
    assert len(found) > 4
    assert all(moment.endswith("Z") for moment in found)


def test_a_decision_lets_the_run_go_on(grace: Caller, waiting: WorkflowRun) -> None:
    told = grace.post(at(waiting, "/approve"), word(waiting)).json()
    gate = told["steps"][1]
    assert (told["state"], gate["state"]) == ("running", "succeeded")
    assert gate["approvals"][0]["decisions"][0]["reason"] == "I looked."
    assert gate["approvals"][0]["state"] == "consumed"


def test_a_rejection_fails_the_step(grace: Caller, waiting: WorkflowRun) -> None:
    told = grace.post(at(waiting, "/approve"), word(waiting, "reject")).json()
    assert (told["state"], told["steps"][1]["state_reason"]) == ("failed", "rejected")


def test_a_decision_on_another_digest_decides_nothing(grace: Caller, waiting: WorkflowRun) -> None:
    told = problem_of(grace.post(at(waiting, "/approve"), word(waiting, digest="0" * 64)), 409)
    assert (told["code"], told["state"]) == ("stale_digest", "blocked")
    assert "approve" in told["allowed_actions"]
    assert runs.step_of(waiting, "gate").approval.decisions.count() == 0  # type: ignore[union-attr]


def test_a_second_decision_is_refused_with_the_state_that_the_first_left(grace: Caller, waiting: WorkflowRun) -> None:
    body = word(waiting)
    grace.post(at(waiting, "/approve"), body)
    told = problem_of(grace.post(at(waiting, "/approve"), body), 409)
    assert told["state"] == "running"
    assert "approve" not in told["allowed_actions"]


def test_a_token_that_was_not_made_for_decisions_decides_nothing_and_that_is_on_record(
    team: Team, waiting: WorkflowRun
) -> None:
    script = with_token(team.grace)
    told = problem_of(script.post(at(waiting, "/approve"), word(waiting)), 403)
    assert told["code"] == "human_presence_required"
    refused = AuditRecord.objects.get(action="refused.human_presence_required")
    assert (refused.actor, refused.run) == (team.grace.get_username(), str(waiting.pk))


def test_who_launched_the_run_does_not_decide_its_gate(team: Team, waiting: WorkflowRun) -> None:
    launcher = with_token(team.ada, may_approve=True)
    assert problem_of(launcher.post(at(waiting, "/approve"), word(waiting)), 403)["code"] == "self_approval"


def test_a_person_at_the_browser_decides(team: Team, waiting: WorkflowRun) -> None:
    told = at_browser(team.grace).post(at(waiting, "/approve"), word(waiting)).json()
    assert told["steps"][1]["approvals"][0]["decisions"][0]["via"] == "session"


def test_a_run_is_paused_resumed_and_canceled(team: Team, ada: Caller) -> None:
    run = runs.launch(team, "a >> b")
    assert ada.post(at(run, "/pause"), {"reason": "Lunch."}).json()["state"] == "paused"
    told = problem_of(ada.post(at(run, "/pause"), {"reason": "Lunch."}), 409)
    assert (told["code"], told["state"]) == ("wrong_state", "paused")
    assert "resume" in told["allowed_actions"]
    assert ada.post(at(run, "/resume"), {"reason": "Back."}).json()["state"] == "running"
    assert ada.post(at(run, "/cancel"), {"reason": "Enough."}).json()["state"] == "canceled"
    told = problem_of(ada.post(at(run, "/retry-step"), {"step_key": "a", "reason": "Again."}), 409)
    assert (told["state"], told["allowed_actions"]) == ("canceled", [])


def test_a_failed_step_is_tried_again(team: Team, ada: Caller) -> None:
    run = runs.settle(runs.launch(team, "a >> b"), {"a": runs.BROKEN})
    told = ada.get(at(run)).json()
    assert (told["state"], told["steps"][0]["exit_code"]) == ("failed", 1)
    told = ada.post(at(run, "/retry-step"), {"step_key": "a", "reason": "The disk was full."}).json()
    assert (told["state"], told["steps"][0]["state"]) == ("running", "ready")


def test_a_harmless_step_is_skipped(team: Team, ada: Caller) -> None:
    run = runs.settle(runs.launch(team, "a >> b"), {"a": runs.BROKEN})
    told = ada.post(at(run, "/skip-step"), {"step_key": "a", "reason": "By hand.", "evidence": "see log"}).json()
    assert told["steps"][0]["state"] == "skipped"


def test_the_skip_of_a_checkpoint_waits_for_an_approval(ada: Caller, waiting: WorkflowRun) -> None:
    told = ada.post(at(waiting, "/skip-step"), {"step_key": "gate", "reason": "We met."}).json()
    gate = told["steps"][1]
    assert (gate["state"], gate["approval"]["kind"], gate["approval"]["level"]) == (
        "awaiting_approval", "skip", "elevated",
    )  # fmt: skip
    assert [approval["state"] for approval in gate["approvals"]] == ["superseded", "pending"]


def test_an_interrupted_step_is_resolved(team: Team, ada: Caller) -> None:
    run = runs.settle(runs.launch(team, "a >> b"), {"a": runs.LOST})
    body = {"step_key": "a", "outcome": "succeeded", "reason": "I saw the file."}
    told = ada.post(at(run, "/resolve-step"), body).json()
    assert told["steps"][0]["state"] == "succeeded"


def test_what_has_not_started_is_replaced_by_a_new_plan(team: Team, ada: Caller) -> None:
    run = runs.launch(team, "a >> b")
    runs.finish(runs.start(run, "a"))  # type: ignore[arg-type]
    steps = runs.make_plan(team, "a >> c")["steps"]
    told = ada.post(at(run, "/replan"), {"steps": steps, "reason": "B is not needed."}).json()
    assert [(step["key"], step["state"]) for step in told["steps"]] == [("a", "succeeded"), ("c", "ready")]
    assert told["workflow"]["version"] == 2


def test_what_has_started_stays_where_a_new_plan_does_not_name_it(team: Team, ada: Caller) -> None:
    run = runs.launch(team, "a >> b")
    runs.finish(runs.start(run, "a"))  # type: ignore[arg-type]
    new = {"key": "c", "type": "command", "command": "true"}
    told = ada.post(at(run, "/replan"), {"steps": [{**new, "needs": ["a"]}], "reason": "B is not needed."}).json()
    assert [(step["key"], step["state"], step["needs"]) for step in told["steps"]] == [
        ("a", "succeeded", []),
        ("c", "ready", ["a"]),
    ]


def test_what_has_started_of_a_list_stays_before_a_new_list(team: Team, ada: Caller) -> None:
    listed = [{"key": key, "type": "command", "command": "true"} for key in "abcd"]
    plan = {**runs.make_plan(team, "a"), "steps": listed[:3]}
    run_id = ada.post(f"/workflows/{ada.post('/workflows', plan).json()['id']}/runs").json()["id"]
    runs.finish(runs.start(WorkflowRun.objects.get(pk=run_id), "a"))  # type: ignore[arg-type]
    told = ada.post(f"/workflow-runs/{run_id}/replan", {"steps": [listed[3]], "reason": "Shorter."}).json()
    assert [(step["key"], step["needs"]) for step in told["steps"]] == [("a", []), ("d", ["a"])]


def test_a_run_that_is_over_has_no_current_step_even_if_a_failure_was_forgiven(team: Team, linus: Caller) -> None:
    run = runs.settle(runs.launch(team, "a >> b", {"a": {"continue_on_error": True}}), {"a": runs.BROKEN})
    told = linus.get(at(run)).json()
    assert (told["state"], told["steps"][0]["state"], told["current_step"]) == ("succeeded", "failed", None)


def test_what_asked_no_model_cost_nothing(team: Team, linus: Caller) -> None:
    told = linus.get(at(runs.settle(runs.launch(team, "a")))).json()
    nothing = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
    assert (told["usage"], told["steps"][0]["usage"]) == (nothing, nothing)


@pytest.mark.parametrize("action", ["retry-step", "skip-step"])
def test_an_impact_about_a_step_asks_which_one(linus: Caller, waiting: WorkflowRun, action: str) -> None:
    assert "step_key" in problem_of(linus.get(at(waiting, "/impact"), action=action), 404)["detail"]


def test_a_body_that_is_missing_is_asked_for(ada: Caller, waiting: WorkflowRun) -> None:
    for raw in (b"", b"{", b"[]"):
        told = problem_of(ada.send(at(waiting, "/pause"), raw), 422)
        assert [error["path"] for error in told["errors"]] == ["body"]


def test_what_an_action_would_do_is_told_before_and_refused_when_it_is_stale(team: Team, ada: Caller) -> None:
    run = runs.settle(runs.launch(team, "a >> b"), {"a": runs.BROKEN})
    sheet = ada.get(at(run, "/impact"), action="retry-step", step_key="a").json()
    assert (sheet["runs_again"], sheet["repeats_once_effects"]) == (["a"], ["a"])
    body = {"step_key": "a", "reason": "Again.", "impact_digest": sheet["digest"]}
    assert ada.post(at(run, "/retry-step"), body).status_code == 200
    runs.settle(run, {"a": runs.BROKEN})
    sheet = ada.get(at(run, "/impact"), action="retry-step", step_key="a").json()
    runs.settle(run, {"a": runs.BROKEN})
    ada.post(at(run, "/skip-step"), {"step_key": "a", "reason": "By hand."})
    assert problem_of(ada.post(at(run, "/cancel"), {"reason": "x", "impact_digest": sheet["digest"]}), 409)["code"] == (
        "changed"
    )


@pytest.mark.parametrize(
    ("action", "step_key"), [("retry-step", "a"), ("skip-step", "a"), ("retry-step", "c"), ("resume", "")]
)
def test_an_action_that_would_be_refused_has_no_impact(team: Team, ada: Caller, action: str, step_key: str) -> None:
    run = runs.settle(runs.launch(team, "a >> b >> c"), {"b": runs.BROKEN})
    query = {"step_key": step_key} if step_key else {}
    told = problem_of(ada.get(at(run, "/impact"), action=action, **query), 409)
    done = problem_of(ada.post(at(run, f"/{action}"), {"reason": "x", **query}), 409)
    assert (told["code"], told["state"], told["allowed_actions"]) == (
        *("wrong_state", done["state"], done["allowed_actions"]),
    )


READERS = {
    "a": {"outputs": ["version", "commit", "unread"]},
    "b": {"env": {"V": "${{ steps.a.outputs.version }}"}},
    "c": {"when": "steps['a'].outputs['commit'] != '' && steps.a.outputs.version != ''"},
}


@pytest.mark.parametrize(("action", "more"), [("skip-step", {}), ("resolve-step", {"outcome": "succeeded"})])
def test_steps_that_read_what_a_step_would_not_leave_are_named(
    team: Team, ada: Caller, action: str, more: dict[str, str]
) -> None:
    run = runs.settle(runs.launch(team, "a >> b, c", READERS), {"a": runs.LOST})
    sheet = ada.get(at(run, "/impact"), action="skip-step", step_key="a").json()
    assert sheet["outputs_read"] == [
        {"name": "commit", "read_by": ["c"]},
        {"name": "version", "read_by": ["b", "c"]},
    ]
    body = {"step_key": "a", "reason": "By hand.", "outputs": {"commit": "abc"}, **more}
    assert ada.post(at(run, f"/{action}"), body).status_code == 200
    told = [event["data"] for event in ada.get(at(run, "/events"), limit=200).json()["items"]]
    assert {"version": ["b", "c"]} in [data.get("missing_outputs") for data in told]


def test_a_run_that_is_over_has_no_impact_left(team: Team, ada: Caller) -> None:
    run = runs.settle(runs.launch(team, "a"))
    for action in ("cancel", "replan", "resume"):
        told = problem_of(ada.get(at(run, "/impact"), action=action), 409)
        assert (told["state"], told["allowed_actions"]) == ("succeeded", [])


def test_looking_at_an_impact_changes_nothing(team: Team, linus: Caller, waiting: WorkflowRun) -> None:
    before = linus.get(at(waiting)).json()
    linus.get(at(waiting, "/impact"), action="cancel")
    assert linus.get(at(waiting)).json() == before


DEEDS = {
    "pause": {"reason": "x"},
    "resume": {"reason": "x"},
    "cancel": {"reason": "x"},
    "retry-step": {"step_key": "first", "reason": "x"},
    "skip-step": {"step_key": "first", "reason": "x"},
    "resolve-step": {"step_key": "first", "outcome": "failed", "reason": "x"},
    "replan": {"steps": [{"type": "command", "command": "true"}], "reason": "x"},
    "approve": {"step_key": "gate", "decision": "approve", "reason": "x", "digest": "x"},
}
LOOKS = ["", "/events", "/artifacts", "/report", "/impact?action=cancel", "/steps/first/log"]
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("deed", DEEDS)
def test_a_viewer_is_told_that_the_role_is_too_low(linus: Caller, waiting: WorkflowRun, deed: str) -> None:
    problem_of(linus.post(at(waiting, f"/{deed}"), DEEDS[deed]), 403)


@pytest.mark.parametrize("deed", DEEDS)
def test_a_stranger_sees_the_same_as_where_nothing_is(stranger: Caller, waiting: WorkflowRun, deed: str) -> None:
    foreign = problem_of(stranger.post(at(waiting, f"/{deed}"), DEEDS[deed]), 404)
    assert foreign == problem_of(stranger.post(f"/workflow-runs/{NOWHERE}/{deed}", DEEDS[deed]), 404)
    assert foreign == problem_of(stranger.post(f"/workflow-runs/no-id/{deed}", DEEDS[deed]), 404)


@pytest.mark.parametrize("look", LOOKS)
def test_a_stranger_looks_at_nothing(stranger: Caller, linus: Caller, waiting: WorkflowRun, look: str) -> None:
    assert linus.get(at(waiting, look)).status_code == 200
    foreign = problem_of(stranger.get(at(waiting, look)), 404)
    assert foreign == problem_of(stranger.get(f"/workflow-runs/{NOWHERE}{look}"), 404)


@pytest.mark.parametrize("deed", DEEDS)
def test_an_action_without_a_reason_or_with_a_field_too_many_does_nothing(
    ada: Caller, waiting: WorkflowRun, deed: str
) -> None:
    without = {name: value for name, value in DEEDS[deed].items() if name != "reason"}
    for body in (without, {**without, "reason": " "}, {**DEEDS[deed], "state": "succeeded"}):
        told = problem_of(ada.post(at(waiting, f"/{deed}"), body), 422)
        assert told["errors"][0]["path"] in ("reason", "state")
    waiting.refresh_from_db()
    assert waiting.state == "blocked"


@pytest.mark.parametrize("unknown", ["zzz", NOWHERE])
def test_a_decision_about_what_nobody_asked_is_not_found(grace: Caller, waiting: WorkflowRun, unknown: str) -> None:
    problem_of(grace.post(at(waiting, "/approve"), {**word(waiting), "approval_id": unknown}), 404)
    waiting.refresh_from_db()
    assert waiting.state == "blocked"


def test_a_step_that_the_run_does_not_have_is_not_found(ada: Caller, waiting: WorkflowRun) -> None:
    problem_of(ada.post(at(waiting, "/retry-step"), {"step_key": "elsewhere", "reason": "x"}), 404)
    problem_of(ada.get(at(waiting, "/steps/elsewhere/log")), 404)


def test_the_history_has_no_gap_and_can_be_read_on_from_any_number(linus: Caller, waiting: WorkflowRun) -> None:
    told = linus.get(at(waiting, "/events"), limit=500).json()["items"]
    assert [event["sequence_no"] for event in told] == list(range(1, waiting.last_sequence_no + 1))
    portion = linus.get(at(waiting, "/events"), after=2, limit=2).json()
    assert (portion["items"], portion["next_after"]) == (told[2:4], 4)
    assert linus.get(at(waiting, "/events"), after=waiting.last_sequence_no).json() == {
        "items": [],
        "next_after": waiting.last_sequence_no,
    }
    for event in told:
        answers.Event.model_validate(event)


def test_runs_are_listed_by_state(team: Team, linus: Caller, waiting: WorkflowRun) -> None:
    runs.launch(team, "a")
    told = linus.get("/workflow-runs", state="blocked").json()["items"]
    assert [item["id"] for item in told] == [str(waiting.pk)]
    assert told[0]["step_counts"] == {"succeeded": 1, "awaiting_approval": 1, "pending": 1}
    answers.RunSummary.model_validate(told[0])


def test_a_large_run_costs_no_more_statements_than_a_small_one(
    team: Team, linus: Caller, django_assert_max_num_queries: Any
) -> None:
    gates = {f"g{n}": {"type": "approval"} for n in range(60)}
    run = runs.settle(runs.launch(team, f"a >> {', '.join(gates)} >> z", gates))
    linus.get(at(run))
    with django_assert_max_num_queries(8):
        told = linus.get(at(run)).json()
    assert len(json.dumps(told["steps"])) > 60_000
