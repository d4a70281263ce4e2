"""Replanning on its page: what stands, what is edited, what that changes, and who has to agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from orchestration.engine import controlling
from orchestration.models import WorkflowRun
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench.pages import signed_in, text_of, url

pytestmark = pytest.mark.django_db
GATE = {"type": "approval"}
GATED = "- {key: gate, type: approval, needs: [x]}\n"


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


def waiting(team: Team) -> WorkflowRun:
    return runs.settle(runs.launch(team, "x >> gate >> last", {"gate": GATE}))


def press(team: Team, run: WorkflowRun, steps: str, do: str, **more: str) -> Any:
    body = {"steps": steps, "reason": "Another way.", "do": do, **more}
    return signed_in(team.ada).post(url(run, "replan/"), body)


def confirm(team: Team, run: WorkflowRun, steps: str) -> Any:
    """Look, then press the button of what was shown, as a browser would."""
    looked = press(team, run, steps, "look")
    assert looked.status_code == 200
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', looked.content.decode()))
    hidden.pop("csrfmiddlewaretoken", None)
    return press(team, run, steps, "replan", **hidden)


def version(run: WorkflowRun) -> int:
    run.refresh_from_db()
    return run.version.number


def test_only_what_has_not_started_is_there_to_edit(team: Team) -> None:
    run = waiting(team)
    answer = signed_in(team.ada).get(url(run, "replan/"))
    text = re.search(r"<textarea[^>]*name=.steps.[^>]*>(.*?)</textarea>", answer.content.decode(), re.DOTALL)
    assert text is not None
    assert "key: last" in text[1]
    assert "key: x" not in text[1]
    assert "Started, so it stays" in text_of(answer)


def test_looking_shows_the_difference_and_what_lapses_and_changes_nothing(team: Team) -> None:
    run = waiting(team)
    answer = press(team, run, f"{GATED}- {{key: other, type: command, command: ls -l, needs: [gate]}}\n", "look")
    text = text_of(answer)
    assert "+ command: ls -l" in text
    assert "Decisions that lapse: gate" in text
    assert "Another person has to approve" not in text, text
    assert version(run) == 1


def test_what_was_looked_at_is_done(team: Team) -> None:
    run = waiting(team)
    steps = f"{GATED}- {{key: other, type: command, command: ls -l, needs: [gate]}}\n"
    assert confirm(team, run, steps).status_code == 303
    assert set(runs.states(run)) == {"x", "gate", "other"}
    assert version(run) == 2


def test_a_text_that_nobody_looked_at_is_shown_first(team: Team) -> None:
    run = waiting(team)
    answer = press(team, run, GATED, "replan", looked="something else")
    assert answer.status_code == 409
    assert "changed since you looked" in text_of(answer)
    assert version(run) == 1


def test_a_run_that_moved_since_refuses_the_press(team: Team) -> None:
    run = waiting(team)
    looked = press(team, run, GATED, "look")
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', looked.content.decode()))
    controlling.cancel_run(run.pk, reason="Enough.", by=team.actor("ada"))
    hidden.pop("csrfmiddlewaretoken", None)
    assert press(team, run, GATED, "replan", **hidden).status_code in (409, 422)
    assert version(run) == 1


def test_a_replan_without_the_checkpoint_says_who_has_to_agree_and_waits(team: Team) -> None:
    run = waiting(team)
    steps = "- {key: last, type: command, command: 'true', needs: [x]}\n"
    assert "removes the checkpoint 'gate'" in text_of(press(team, run, steps, "look"))
    assert confirm(team, run, steps).status_code == 303
    assert version(run) == 1
    text = text_of(signed_in(team.grace).get(url(run)))
    assert "a replan that weakens a guard waits for an approval" in text
    assert "- key: gate" in text
    assert "You launched this run, so you cannot decide." in text_of(signed_in(team.ada).get(url(run)))


@pytest.mark.parametrize("steps", ["steps: [", "steps: 7", "- {key: x, type: nonsense}", "{}", "- 7", GATED + GATED])
def test_a_plan_that_cannot_be_used_comes_back_with_its_faults(team: Team, steps: str) -> None:
    run = waiting(team)
    answer = press(team, run, steps, "look")
    assert answer.status_code == 422
    assert version(run) == 1


def test_who_only_looks_does_not_replan(team: Team) -> None:
    run = waiting(team)
    client = signed_in(team.linus)
    assert client.get(url(run, "replan/")).status_code == 403
    assert client.post(url(run, "replan/"), {"steps": GATED, "reason": "x", "do": "replan"}).status_code == 403
