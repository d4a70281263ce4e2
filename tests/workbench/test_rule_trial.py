"""A rule is tried before it holds: what it would have changed, on a page; stored by admins alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from policy.models import AuditRecord, Rule
from policy.rules import load_rules
from tests.factories import member
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench import pages

pytestmark = pytest.mark.django_db
RULE = {
    "name": "no-lint", "description": "Nobody lints here.", "condition": "step.key == 'lint'", "verdict": "deny",
    "risk": "critical", "approvers": "", "command": "", "last": "100", "do": "try",
}  # fmt: skip


@pytest.fixture
def team(tmp_path: Path) -> Team:
    made = runs.make_team(tmp_path)
    runs.settle(runs.launch(made, "build >> lint >> test"))
    return made


def ask(team: Team, user: User, **changed: str) -> Any:
    return pages.signed_in(user).post(f"/projects/{team.project.slug}/rules/trial/", {**RULE, **changed})


def test_the_rules_tab_leads_to_the_trial(team: Team) -> None:
    client = pages.signed_in(team.linus)
    address = f"/projects/{team.project.slug}/rules/trial/"
    assert address in client.get(f"/projects/{team.project.slug}/rules/").content.decode()
    assert client.get(address).status_code == 200


def test_steps_that_really_ran_are_judged_with_and_without_it_and_nothing_is_stored(team: Team) -> None:
    before = load_rules(team.project).version
    shown = pages.text_of(ask(team, team.linus))
    assert "1 of 3 steps would have another verdict" in shown
    assert f"{team.project.slug}#1" in shown
    assert not Rule.objects.exists()
    team.project.refresh_from_db()
    assert load_rules(team.project).version == before


def test_one_command_is_judged_with_and_without_it(team: Team) -> None:
    answer = ask(team, team.linus, condition="'network' in command.classes", command="curl https://example.org")
    shown = pages.text_of(answer)
    assert "This command" in shown
    assert "Nobody lints here." in shown


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"condition": "step.key =="}, "condition"),
        ({"condition": "nowhere.key == 1"}, "nowhere"),
        ({"verdict": "perhaps"}, "choice"),
        ({"last": "1000000"}, "choice"),
    ],
)
def test_a_rule_that_makes_no_sense_is_marked_at_its_field(team: Team, changed: dict[str, str], sentence: str) -> None:
    answer = ask(team, team.linus, **changed)
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert sentence in answer.content.decode()


def test_an_admin_stores_what_was_tried_and_others_are_refused(team: Team) -> None:
    for user in (team.linus, team.ada, team.grace):
        assert ask(team, user, do="save").status_code == 403
    assert not Rule.objects.exists()
    assert ask(team, member(team.project, "admin"), do="save").status_code == 303
    rule = Rule.objects.get()
    assert (rule.project, rule.name, rule.verdict, rule.version) == (team.project, "no-lint", "deny", 1)
    assert AuditRecord.objects.filter(action="rule.created").count() == 1
    run = runs.settle(runs.launch(team, "build >> lint"))
    assert runs.states(run)["lint"] == "failed"


def test_approvers_that_name_nobody_are_refused(team: Team) -> None:
    answer = ask(team, member(team.project, "admin"), do="save", approvers="everybody")
    assert answer.status_code == 422
    assert "names nobody" in pages.text_of(answer)
