"""What an approver is shown beside the request itself: what changed, that nobody is left, that it can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from orchestration.engine import overriding
from orchestration.models import WorkflowRun
from policy import members
from policy.actors import Actor
from policy.models import Approval, AuditRecord, Membership
from policy.rulebook import RuleText, write_rule
from tests.api.people import with_token
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench import pages

pytestmark = pytest.mark.django_db
PUSH = {"push": {"command": "git push origin main"}}


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


@pytest.fixture
def run(team: Team) -> WorkflowRun:
    return runs.launch(team, "push", PUSH)


def approve(run: WorkflowRun, user: User, **more: str) -> int:
    approval = runs.step_of(run, "push").approval
    assert approval is not None
    form = {"decision": "approve", "reason": "I looked.", "digest": approval.digest, **more}
    return pages.signed_in(user).post(pages.url(run, f"approvals/{approval.pk}/decision/"), form).status_code


def inbox(user: User, view: str = "all") -> Client:
    return pages.signed_in(user).get("/approvals/", {"view": view})


def test_a_risky_step_is_approved_by_typing_the_beginning_of_its_digest(team: Team, run: WorkflowRun) -> None:
    approval = Approval.objects.get()
    assert (approval.level, approval.risk) == ("normal", "high")
    assert approve(run, team.grace) == 422
    assert runs.states(run) == {"push": "awaiting_approval"}
    assert approve(run, team.grace, typed_digest=approval.digest[:8]) == 303
    assert runs.states(run) == {"push": "ready"}


def test_after_a_lapse_the_packet_shows_what_changed(team: Team, run: WorkflowRun) -> None:
    runs.decide(team, run, "push")
    rule = RuleText("Mind the branch.", "step.key == 'push'", "require_approval")
    write_rule(team.project, "branches", rule, by=Actor.for_shell())
    assert runs.start(run) is None
    shown = pages.text_of(pages.signed_in(team.grace).get(pages.url(run)))
    assert "Changed since it was approved" in shown
    assert "The rules" in shown


def test_when_the_last_who_may_decide_loses_the_role_that_is_said_and_on_record(team: Team, run: WorkflowRun) -> None:
    admin = User.objects.create_superuser("root")
    for one in (team.grace, team.edsger):
        held = Membership.objects.get(user=one)
        members.grant(team.project, one, "viewer", by=Actor.for_command(admin))
        assert held.role == "approver"
    assert not AuditRecord.objects.filter(action="approval.no_eligible_approver").exists()  # the superuser may
    admin.is_active = False
    admin.save()
    assert "nobody may make as things stand" in pages.text_of(pages.signed_in(team.linus).get(pages.url(run)))
    assert "nobody can decide it as things stand" in pages.text_of(inbox(team.linus))
    told = with_token(team.linus).get(f"/workflow-runs/{run.pk}").json()
    assert told["no_eligible_approver"] == ["push"]


def test_taking_the_last_role_away_on_the_page_warns(team: Team, run: WorkflowRun) -> None:
    boss = User.objects.create_user("boss", password="x")
    Membership.objects.create(project=team.project, user=boss, role="admin")
    Approval.objects.update(excluded=[team.ada.pk, boss.pk])
    browser = pages.signed_in(boss)
    first, last = (f"/projects/{team.project.slug}/members/{one.pk}/removal/" for one in (team.grace, team.edsger))
    assert "Nobody is left" not in pages.text_of(browser.post(first, follow=True))
    assert "Nobody is left who may decide 1 open request" in pages.text_of(browser.post(last, follow=True))
    record = AuditRecord.objects.get(action="approval.no_eligible_approver")
    assert record.subject == f"approval:{Approval.objects.get().pk}"


def test_an_approval_is_taken_back_on_the_page_by_an_approver_only(team: Team, run: WorkflowRun) -> None:
    runs.decide(team, run, "push")
    panel = pages.url(run) + "?step=push&panel=approval"
    address = pages.url(run, "actions/revoke/")
    assert "Take it back" in pages.text_of(pages.signed_in(team.edsger).get(panel))
    assert "Take it back" not in pages.text_of(pages.signed_in(team.ada).get(panel))
    form = {"step_key": "push", "reason": "Not today."}
    assert pages.signed_in(team.ada).post(address, form).status_code == 403
    assert pages.signed_in(team.edsger).post(address, form).status_code == 303
    assert runs.states(run) == {"push": "awaiting_approval"}


def test_a_denied_step_offers_to_ask_and_the_packet_says_what_is_asked(team: Team) -> None:
    run = runs.settle(runs.launch(team, "b", {"b": {"command": "rm -rf /"}}))
    page = pages.signed_in(team.ada).get(pages.url(run) + "?step=b")
    assert "Run it against the rules" in pages.text_of(page)
    form = {"step_key": "b", "reason": "The outage needs it."}
    assert pages.signed_in(team.ada).post(pages.url(run, "actions/override-step/"), form).status_code == 303
    shown = pages.text_of(pages.signed_in(team.grace).get(pages.url(run)))
    assert "A denial would be overridden" in shown
    assert "The outage needs it." in shown
    assert "runs once as shown, though the rules deny it" in shown


def test_a_models_words_stand_last_and_are_marked(team: Team) -> None:
    run = runs.settle(runs.launch(team, "gate", {"gate": {"type": "approval"}}))
    text = Path("templates/workbench/_packet.html").read_text()
    facts, words = text.index("packet.what"), text.index("packet.agent_words %}<div")
    assert facts < text.index("packet.reasons %}") < text.index("packet.inputs %}") < words
    assert "not checked" in text[words : words + 300]
    assert run.state == "blocked"


def test_the_project_says_how_often_a_denial_was_stepped_over(team: Team) -> None:
    client, address = pages.signed_in(team.linus), f"/projects/{team.project.slug}/health/"
    assert "No denied step was run against the rules" in pages.text_of(client.get(address))
    run = runs.settle(runs.launch(team, "b", {"b": {"command": "rm -rf /"}}))
    overriding.override_step(run.pk, "b", reason="The outage needs it.", by=team.actor("ada"))
    approval = runs.step_of(run, "b").approval
    assert approval is not None
    form = {"decision": "approve", "reason": "Yes.", "digest": approval.digest, "typed_digest": approval.digest[:8]}
    pages.signed_in(team.grace).post(pages.url(run, f"approvals/{approval.pk}/decision/"), form)
    assert runs.start(run, "b") is not None
    assert "1 denied step was run against the rules" in pages.text_of(client.get(address))
