"""Order, conditions, inputs, outputs, retries, limits, pause, cancel and replan, through the engine's doors."""

from __future__ import annotations

import pytest

from orchestration.engine import controlling, impact, launching, recovering, replanning
from orchestration.engine.door import change_run
from orchestration.engine.errors import Changed, InvalidInput, LostAttempt, WrongState
from orchestration.executors.base import Outcome
from orchestration.models import ExecutionRun
from policy.models import AuditRecord, Project
from tests.orchestration import runs
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db


def order_of(run: runs.WorkflowRun) -> list[str]:
    return list(run.events.filter(type="step.started").order_by("sequence_no").values_list("step_key", flat=True))


def test_without_needs_the_list_is_the_order(team: Team) -> None:
    steps = [{"key": key, "type": "command", "command": "true"} for key in "abc"]
    run = launching.launch_run(make(team, steps), inputs={}, by=team.actor("ada"))
    assert runs.settle(run).state == "succeeded"
    assert order_of(run) == ["a", "b", "c"]


def make(team: Team, steps: list[dict[str, object]], **plan: object) -> runs.Workflow:
    from orchestration import plan_rules
    from orchestration.engine import planning

    data = {"name": "P", "project": team.project.slug, "feature": "search", "steps": steps, **plan}
    return planning.create_workflow(plan_rules.validate_plan(data), by=team.actor("ada"))


def test_branches_run_side_by_side_and_a_join_waits_for_all(team: Team) -> None:
    run = runs.launch(team, "a >> b, c >> d")
    first = runs.start(run)
    assert first is not None
    runs.finish(first)
    b, c = runs.start(run), runs.start(run)
    assert b is not None
    assert c is not None
    runs.finish(c)
    assert runs.states(run)["d"] == "pending"
    runs.finish(b)
    assert runs.states(run)["d"] == "ready"


def test_a_false_condition_skips_and_what_follows_goes_on(team: Team) -> None:
    run = runs.launch(team, "a >> b >> c", {"b": {"when": "steps.a.exit_code == 7"}})
    run = runs.settle(run)
    assert run.state == "succeeded"
    assert runs.states(run) == {"a": "succeeded", "b": "skipped", "c": "succeeded"}
    assert runs.step_of(run, "b").state_reason == "condition"


def test_a_condition_without_an_answer_fails_its_step_and_says_why(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b", {"b": {"when": "steps.a.outputs.missing == 'x'"}}))
    step = runs.step_of(run, "b")
    assert (run.state, step.state_reason) == ("failed", "condition_error")
    assert step.error


def test_inputs_are_checked_and_filled_into_the_environment_never_into_the_command(team: Team) -> None:
    inputs = {"who": {"type": "string", "required": True}, "times": {"type": "number", "default": 2}}
    env = {"env": {"WHO": "${{ inputs.who }}", "TIMES": "${{ inputs.times }}"}}
    workflow = runs.make_workflow(team, "a", {"a": env}, inputs=inputs)
    for wrong in ({}, {"who": 3}, {"who": "x", "times": "2"}, {"who": "x", "more": 1}, {"who": "x", "times": True}):
        with pytest.raises(InvalidInput):
            launching.launch_run(workflow, inputs=wrong, by=team.actor("ada"))
    run = launching.launch_run(workflow, inputs={"who": "Ada; rm -rf /"}, by=team.actor("ada"))
    assignment = runs.start(run)
    assert assignment is not None
    assert assignment.definition["env"] == {"WHO": "Ada; rm -rf /", "TIMES": "2"}
    assert assignment.definition["command"] == "true"


def test_outputs_reach_conditions_checks_and_the_environment_of_later_steps(team: Team) -> None:
    said = {
        "a": {"outputs": ["tag"]},
        "b": {"when": "steps.a.outputs.tag == 'v1'", "env": {"TAG": "${{ steps.a.outputs.tag }}"}},
        "c": {"type": "validation", "checks": [{"kind": "expression", "expression": "steps.a.outputs.tag == 'v1'"}]},
    }
    run = runs.launch(team, "a >> b >> c", said)
    first = runs.start(run)
    assert first is not None
    runs.finish(first, Outcome("succeeded", exit_code=0, outputs={"tag": "v1"}))
    second = runs.start(run)
    assert second is not None
    assert second.definition["env"] == {"TAG": "v1"}
    runs.finish(second)
    assert runs.settle(run).state == "succeeded"


def test_an_expression_check_that_fails_says_what_it_saw(team: Team) -> None:
    checks = [{"kind": "expression", "name": "clean exit", "expression": "steps.a.exit_code == 0"}]
    run = runs.launch(team, "a >> v", {"a": {"continue_on_error": True}, "v": {"type": "validation", "checks": checks}})
    run = runs.settle(run, {"a": runs.BROKEN})
    step = runs.step_of(run, "v")
    assert (run.state, step.state_reason) == ("failed", "validation")
    assert "clean exit" in step.error
    assert step.checks[0]["passed"] is False


def test_continue_on_error_lets_the_rest_run_and_the_run_succeed(team: Team) -> None:
    run = runs.launch(team, "a >> b", {"a": {"continue_on_error": True}})
    run = runs.settle(run, {"a": runs.BROKEN})
    assert run.state == "succeeded"
    assert runs.states(run) == {"a": "failed", "b": "succeeded"}


def test_a_failure_stops_what_needs_it_and_nothing_else(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b, c"), {"a": runs.DONE, "b": runs.BROKEN})
    assert (run.state, run.state_reason) == ("failed", "exit")
    assert runs.states(run) == {"a": "succeeded", "b": "failed", "c": "succeeded"}


def test_retries_wait_longer_each_time_and_end(team: Team) -> None:
    retry = {"max_attempts": 3, "backoff_seconds": 10, "backoff_factor": 3}
    run = runs.settle(runs.launch(team, "a", {"a": {"retry": retry}}), {"a": runs.BROKEN})
    waits = []
    for _ in range(2):
        waits.append(run.events.filter(type="step.retrying").latest("sequence_no").data["wait_seconds"])
        controlling.retry_step(run.pk, "a", reason="Now.", by=team.actor("ada"))
        run = runs.settle(run, {"a": runs.BROKEN})
    assert waits == [10, 30]
    assert (run.state, runs.step_of(run, "a").attempt) == ("failed", 3)


def test_a_lost_step_is_repeated_only_where_that_is_safe_and_not_for_ever(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a, b", {"b": {"effects": "repeatable"}}), {"a": runs.LOST, "b": runs.LOST})
    assert runs.states(run) == {"a": "interrupted", "b": "retry_wait"}
    for _ in range(2):
        recovering.sweep()
        runs.settle(run, {"b": runs.LOST})
    assert runs.states(run) == {"a": "interrupted", "b": "interrupted"}
    run.refresh_from_db()
    assert (run.state, run.state_reason) == ("paused", "interrupted")


def test_a_result_of_another_owner_changes_nothing(team: Team) -> None:
    run = runs.launch(team, "a")
    assignment = runs.start(run)
    assert assignment is not None
    ExecutionRun.objects.update(owner="somebody else")
    with pytest.raises(LostAttempt):
        runs.finish(assignment)
    assert runs.states(run) == {"a": "running"}


def test_work_that_was_never_begun_costs_no_attempt(team: Team) -> None:
    run = runs.launch(team, "a")
    assignment = runs.start(run)
    assert assignment is not None
    runs.finish(assignment, Outcome("never_started"))
    assert runs.states(run) == {"a": "ready"}
    assert runs.settle(run).state == "succeeded"
    assert runs.step_of(run, "a").attempt == 1


def test_parallel_limits_of_run_and_project_hold(team: Team) -> None:
    run = runs.launch(team, "a, b, c, d", max_parallel=2)
    assert [runs.start(run) is not None for _ in range(4)] == [True, True, False, False]
    Project.objects.update(max_running_steps=2)
    Project.objects.update(path=str(team.project.path) + "/../other")


def test_the_project_s_limit_counts_over_all_its_runs(team: Team) -> None:
    Project.objects.update(max_running_steps=1)
    run = runs.launch(team, "a, b")
    first = runs.start(run)
    assert first is not None
    assert runs.start(run) is None
    runs.finish(first)
    assert runs.start(run) is not None


def test_a_second_run_in_a_plain_folder_waits_for_the_first(team: Team) -> None:
    first, second = runs.launch(team, "a"), runs.launch(team, "a")
    assert (second.state, second.state_reason) == ("queued", "workspace_busy")
    runs.settle(first)
    recovering.sweep()
    assert runs.settle(second).state == "succeeded"


def test_pause_lets_work_in_flight_finish_and_starts_nothing(team: Team) -> None:
    run = runs.launch(team, "a >> b")
    assignment = runs.start(run)
    assert assignment is not None
    run = controlling.pause_run(run.pk, reason="Lunch.", by=team.actor("ada"))
    assert (run.state, run.state_reason) == ("paused", "pausing")
    runs.finish(assignment)
    run.refresh_from_db()
    assert (run.state, run.state_reason) == ("paused", "paused")
    assert runs.start(run) is None
    controlling.resume_run(run.pk, reason="Back.", by=team.actor("ada"))
    assert runs.settle(run).state == "succeeded"


def test_cancel_ends_what_waits_now_and_what_runs_when_its_work_has_ended(team: Team) -> None:
    run = runs.launch(team, "a, b >> c")
    assignment = runs.start(run, "a")
    assert assignment is not None
    run = controlling.cancel_run(run.pk, reason="Stop.", by=team.actor("ada"))
    assert (run.state, run.state_reason) == ("running", "canceling")
    runs.finish(assignment, runs.DONE)
    run.refresh_from_db()
    assert run.state == "canceled"
    assert set(runs.states(run).values()) == {"canceled"}
    controlling.cancel_run(run.pk, reason="Again.", by=team.actor("ada"))
    assert AuditRecord.objects.filter(run=str(run.pk), action="run.canceled", outcome="done").count() == 1


@pytest.mark.parametrize("before", ["queued", "blocked", "paused", "failed"])
def test_cancel_works_from_every_state_that_is_not_final(team: Team, before: str) -> None:
    if before == "queued":
        runs.launch(team, "a")
        run = runs.launch(team, "a")
    elif before == "blocked":
        run = runs.launch(team, "a", {"a": {"type": "approval"}})
    elif before == "failed":
        run = runs.settle(runs.launch(team, "a"), {"a": runs.BROKEN})
    else:
        run = controlling.pause_run(runs.launch(team, "a").pk, reason="Wait.", by=team.actor("ada"))
    assert run.state == before
    assert controlling.cancel_run(run.pk, reason="Stop.", by=team.actor("ada")).state == "canceled"


def test_a_failed_step_is_retried_alone_and_what_was_done_stays_done(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b >> c"), {"b": runs.BROKEN})
    controlling.retry_step(run.pk, "b", reason="Mended.", by=team.actor("ada"))
    assert runs.settle(run).state == "succeeded"
    assert order_of(run) == ["a", "b", "b", "c"]


def test_a_skip_may_give_the_outputs_that_later_steps_read(team: Team) -> None:
    said = {"a": {"outputs": ["tag"]}, "b": {"env": {"TAG": "${{ steps.a.outputs.tag }}"}}}
    run = runs.launch(team, "a >> b", said)
    with pytest.raises(InvalidInput):
        controlling.skip_step(run.pk, "a", reason="Done.", by=team.actor("ada"), outputs={"other": "x"})
    controlling.skip_step(run.pk, "a", reason="Done by hand.", by=team.actor("ada"), outputs={"tag": "v9"})
    assignment = runs.start(run)
    assert assignment is not None
    assert assignment.definition["env"] == {"TAG": "v9"}


def test_resume_does_interrupted_work_again(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b"), {"a": runs.LOST})
    controlling.resume_run(run.pk, reason="I looked.", by=team.actor("ada"))
    assert runs.settle(run).state == "succeeded"
    assert runs.step_of(run, "a").attempt == 2


def test_every_action_of_a_person_needs_a_reason(team: Team) -> None:
    run = runs.launch(team, "a")
    for act in (controlling.pause_run, controlling.cancel_run):
        with pytest.raises(InvalidInput):
            act(run.pk, reason="  ", by=team.actor("ada"))


def test_an_impact_sheet_that_is_no_longer_true_refuses_the_action(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b, c"), {"b": runs.BROKEN, "c": runs.BROKEN})
    sheet = change_run(run.pk, team.actor("ada"), lambda change: impact.sheet(change, "retry-step", "b"))
    assert sheet["runs_again"] == ["b"]
    assert sheet["reused"] == ["a"]
    assert sheet["repeats_once_effects"] == ["b"]
    controlling.retry_step(run.pk, "c", reason="First.", by=team.actor("ada"))
    with pytest.raises(Changed):
        controlling.retry_step(run.pk, "b", reason="Now.", by=team.actor("ada"), impact_digest=sheet["digest"])


def test_a_replan_keeps_what_has_started_and_replaces_the_rest(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a >> b >> c"), {"b": runs.BROKEN})
    steps = runs.make_plan(team, "a >> b, d >> e")["steps"]
    run = replanning.replan_run(run.pk, steps, reason="Another way.", by=team.actor("ada"))
    assert runs.states(run) == {"a": "succeeded", "b": "failed", "d": "ready", "e": "pending"}
    assert runs.fold(run) == (run.state, runs.states(run))
    changed = runs.make_plan(team, "a >> b", {"a": {"command": "false"}})["steps"]
    with pytest.raises(InvalidInput):
        replanning.replan_run(run.pk, changed, reason="No.", by=team.actor("ada"))


def test_a_replan_waits_until_nothing_executes(team: Team) -> None:
    run = runs.launch(team, "a >> b")
    runs.start(run)
    with pytest.raises(WrongState):
        replanning.replan_run(run.pk, runs.make_plan(team, "a")["steps"], reason="Now.", by=team.actor("ada"))


def test_a_run_past_its_time_is_ended(team: Team) -> None:
    run = runs.launch(team, "a", timeout_seconds=0.001)
    recovering.sweep()
    run.refresh_from_db()
    assert (run.state, run.state_reason) == ("canceled", "timeout")
    assert runs.step_of(run, "a").state_reason == "timeout"
    assert run.events.filter(type="run.timed_out").exists()


def test_a_step_that_executes_when_the_runs_time_is_over_ends_for_that_reason(team: Team) -> None:
    run = runs.launch(team, "a", timeout_seconds=0.001)
    assignment = runs.start(run)
    recovering.sweep()
    runs.finish(assignment, Outcome("canceled"))  # type: ignore[arg-type]
    run.refresh_from_db()
    assert (run.state, run.state_reason) == ("canceled", "timeout")
    assert runs.step_of(run, "a").state_reason == "timeout"


def test_a_run_that_a_person_canceled_is_not_said_to_be_late(team: Team) -> None:
    run = runs.launch(team, "a >> b")
    assignment = runs.start(run)
    controlling.cancel_run(run.pk, reason="Enough.", by=team.actor("ada"))
    runs.finish(assignment, Outcome("canceled"))  # type: ignore[arg-type]
    run.refresh_from_db()
    assert (run.state, run.state_reason) == ("canceled", "canceled")


def test_a_chain_of_a_hundred_checks_settles_within_the_launch(team: Team) -> None:
    check = {"type": "validation", "checks": [{"kind": "expression", "expression": "run.number > 0"}]}
    keys = [f"s{number}" for number in range(100)]
    run = runs.launch(team, " >> ".join(keys), dict.fromkeys(keys, check))
    assert run.state == "succeeded"
    assert ExecutionRun.objects.filter(run=run).count() == 0
