"""What people do on a run's page: each works, is closed to others, keeps to method and state, and comes only once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from orchestration.engine import controlling
from orchestration.models import WorkflowRun
from policy.models import AuditRecord
from tests.factories import UserFactory
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench import pages
from tests.workbench.pages import HTMX, signed_in, text_of, url

pytestmark = pytest.mark.django_db
GATE = {"type": "approval"}


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


def going(team: Team) -> WorkflowRun:
    return runs.launch(team, "x >> last")


def failed(team: Team) -> WorkflowRun:
    return runs.settle(going(team), {"x": runs.BROKEN})


def interrupted(team: Team) -> WorkflowRun:
    return runs.settle(going(team), {"x": runs.LOST})


def paused(team: Team) -> WorkflowRun:
    run = going(team)
    return controlling.pause_run(run.pk, reason="Wait.", by=team.actor("ada"))


def over(team: Team) -> WorkflowRun:
    return runs.settle(going(team))


# action, a run that allows it, what it brings, what it asks beside the reason
ACTIONS: list[tuple[str, Any, dict[str, str], str]] = [
    ("pause", going, {}, "paused"),
    ("resume", paused, {}, "running"),
    ("cancel", going, {}, "canceled"),
    ("retry-step", failed, {"step_key": "x"}, "running"),
    ("skip-step", failed, {"step_key": "x"}, "running"),
    ("resolve-step", interrupted, {"step_key": "x", "outcome": "succeeded"}, "running"),
]
NAMES = [action for action, *_ in ACTIONS]


def sheet(user: User, run: WorkflowRun, action: str, **query: str) -> dict[str, str]:
    """The hidden fields of the sheet, as a browser would send them back."""
    answer = signed_in(user).get(url(run, f"actions/{action}/"), query)
    assert answer.status_code == 200
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.content.decode())
    return {name: value for name, value in fields if name != "csrfmiddlewaretoken"}


def act(user: User, run: WorkflowRun, action: str, fields: dict[str, str], **headers: str) -> Any:
    return signed_in(user).post(url(run, f"actions/{action}/"), {"reason": "Because.", **fields}, **headers)  # type: ignore[arg-type]


def step_only(fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name == "step_key"}


@pytest.mark.parametrize(("action", "state", "fields", "becomes"), ACTIONS, ids=NAMES)
def test_it_works(team: Team, action: str, state: Any, fields: dict[str, str], becomes: str) -> None:
    run = state(team)
    answer = act(team.ada, run, action, {**sheet(team.ada, run, action, **step_only(fields)), **fields})
    assert (answer.status_code, answer["Location"]) == (303, url(run))
    run.refresh_from_db()
    assert run.state == becomes


@pytest.mark.parametrize(("action", "state", "fields", "becomes"), ACTIONS, ids=NAMES)
def test_a_stranger_finds_nothing_and_a_viewer_is_told_why_not(
    team: Team, action: str, state: Any, fields: dict[str, str], becomes: str
) -> None:
    run = state(team)
    before = run.events.count()
    assert act(UserFactory(), run, action, fields).status_code == 404
    refused = act(team.linus, run, action, fields)
    assert refused.status_code == 403
    assert "an operator can do it" in text_of(refused)
    assert run.events.count() == before


@pytest.mark.parametrize(("action", "state", "fields", "becomes"), ACTIONS, ids=NAMES)
def test_looking_at_the_sheet_changes_nothing(
    team: Team, action: str, state: Any, fields: dict[str, str], becomes: str
) -> None:
    run = state(team)
    before = run.events.count()
    sheet(team.ada, run, action, **step_only(fields))
    assert run.events.count() == before
    assert signed_in(team.ada).delete(url(run, f"actions/{action}/")).status_code == 405


@pytest.mark.parametrize(("action", "state", "fields", "becomes"), ACTIONS, ids=NAMES)
def test_a_run_that_is_over_refuses_it_in_a_sentence(
    team: Team, action: str, state: Any, fields: dict[str, str], becomes: str
) -> None:
    run = over(team)
    before = run.events.count()
    answer = act(team.ada, run, action, fields)
    assert answer.status_code == 409
    assert "succeeded" in text_of(answer)
    assert "Nothing was changed." in text_of(answer)
    assert run.events.count() == before


@pytest.mark.parametrize(("action", "state", "fields", "becomes"), ACTIONS, ids=NAMES)
def test_a_second_press_of_the_same_form_changes_nothing_more(
    team: Team, action: str, state: Any, fields: dict[str, str], becomes: str
) -> None:
    run = state(team)
    sent = {**sheet(team.ada, run, action, **step_only(fields)), **fields}
    first = act(team.ada, run, action, sent)
    after_first = run.events.count()
    second = act(team.ada, run, action, sent)
    assert (first.status_code, second.status_code) == (303, 303)
    assert run.events.count() == after_first


@pytest.mark.parametrize(("action", "state", "fields", "becomes"), ACTIONS, ids=NAMES)
def test_it_needs_a_reason(team: Team, action: str, state: Any, fields: dict[str, str], becomes: str) -> None:
    run = state(team)
    before = run.events.count()
    answer = signed_in(team.ada).post(url(run, f"actions/{action}/"), {**fields, "reason": " "})
    assert answer.status_code == 422
    assert "This field is required" in text_of(answer)
    assert run.events.count() == before


def test_a_sheet_of_another_tab_is_refused_when_the_run_has_moved(team: Team) -> None:
    run = runs.settle(runs.launch(team, "x, y >> last"), {"x": runs.BROKEN, "y": runs.BROKEN})
    old = sheet(team.ada, run, "retry-step", step_key="x")
    act(team.ada, run, "skip-step", {**sheet(team.ada, run, "skip-step", step_key="y")})
    answer = act(team.ada, run, "retry-step", old)
    assert answer.status_code == 409
    assert "has changed since you looked" in text_of(answer)
    assert runs.states(run)["x"] == "failed"


def test_a_refusal_leaves_its_record_in_the_audit_log(team: Team) -> None:
    run = over(team)
    act(team.ada, run, "pause", {})
    assert AuditRecord.objects.filter(run=str(run.pk), outcome="refused", action="refused.wrong_state").count() == 1


def test_the_sheet_says_what_would_happen(team: Team) -> None:
    run = runs.settle(runs.launch(team, "done >> x >> last", {"x": {"effects": "once"}}), {"x": runs.BROKEN})
    text = text_of(signed_in(team.ada).get(url(run, "actions/retry-step/"), {"step_key": "x"}))
    assert "Runs again x Kept as it is done" in text
    assert "Effects would happen a second time" in text


def test_htmx_gets_the_dialog_and_then_the_parts_that_changed(team: Team) -> None:
    run = failed(team)
    client = signed_in(team.ada)
    dialog = client.get(url(run, "actions/retry-step/"), {"step_key": "x"}, **HTMX)  # type: ignore[arg-type]
    assert dialog.content.decode().strip().startswith("<form")
    done = act(team.ada, run, "retry-step", {"step_key": "x"}, **HTMX)
    page = done.content.decode()
    assert done.status_code == 200
    assert done["HX-Trigger-After-Settle"] == "sheet:done"
    assert 'hx-swap-oob="morph" class="state-line' in page
    assert "x is tried again." in page


def test_a_refusal_by_role_reaches_htmx_as_a_message(team: Team) -> None:
    run = going(team)
    answer = act(team.linus, run, "pause", {}, **HTMX)
    assert answer.status_code == 403
    assert answer["HX-Retarget"] == "#flash"
    assert "an operator can do it" in text_of(answer)


@pytest.mark.parametrize(("action", "ending"), [("skip-step", runs.BROKEN), ("resolve-step", runs.LOST)])
def test_outputs_that_later_steps_read_are_asked_for(team: Team, action: str, ending: Any) -> None:
    steps = {"x": {"outputs": ["version", "unread"]}, "last": {"env": {"V": "${{ steps.x.outputs.version }}"}}}
    run = runs.settle(runs.launch(team, "x >> last", steps), {"x": ending})
    page = text_of(signed_in(team.ada).get(url(run, f"actions/{action}/"), {"step_key": "x"}))
    assert page.count("without a value here that will fail") == 1
    assert "Read by last" in page


def test_a_skip_takes_evidence_and_the_outputs_that_the_step_promised(team: Team) -> None:
    run = runs.settle(runs.launch(team, "x >> last", {"x": {"outputs": ["version"]}}), {"x": runs.BROKEN})
    act(team.ada, run, "skip-step", {"step_key": "x", "evidence": "Built by hand.", "output_version": "1.2"})
    step = runs.step_of(run, "x")
    assert (step.state, step.outputs) == ("skipped", {"version": "1.2"})


def test_the_skip_of_a_checkpoint_asks_somebody_else(team: Team) -> None:
    run = pages.blocked(team)
    act(team.ada, run, "skip-step", {"step_key": "gate"})
    assert "the skip of “gate” waits for an approval by approvers" in text_of(signed_in(team.ada).get(url(run)))


def test_an_unknown_step_or_action_is_not_there(team: Team) -> None:
    run = failed(team)
    client = signed_in(team.ada)
    assert client.get(url(run, "actions/retry-step/"), {"step_key": "nowhere"}).status_code == 404
    assert client.get(url(run, "actions/retry-step/")).status_code == 404
    assert client.get(url(run, "actions/explode/")).status_code == 404


# buttons


def test_buttons_come_from_what_the_engine_allows(team: Team) -> None:
    run = failed(team)
    page = signed_in(team.ada).get(url(run), {"step": "x"}).content.decode()
    assert 'href="' + url(run, "actions/retry-step/?step_key=x") in page
    assert "actions/resolve-step/" not in page
    text = text_of(signed_in(team.linus).get(url(run)))
    assert "Not now: Your role in this project does not allow this: an operator can do it" in text
