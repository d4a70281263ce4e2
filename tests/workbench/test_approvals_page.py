"""Decisions on pages: the inbox, the packet, and that no way round policy leads over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from orchestration.engine import controlling
from orchestration.models import WorkflowRun
from policy.models import Approval, Decision
from tests.factories import PASSWORD, UserFactory
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench import pages
from tests.workbench.pages import signed_in, text_of, url

pytestmark = pytest.mark.django_db
GATE = {"type": "approval"}


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


def approval_of(run: WorkflowRun, key: str = "gate") -> Approval:
    approval = runs.step_of(run, key).approval
    assert approval is not None
    return approval


def decide(user: User, run: WorkflowRun, key: str = "gate", *, recently: bool = True, **fields: str) -> Any:
    approval = approval_of(run, key)
    sent = {"decision": "approve", "reason": "I looked.", "digest": approval.digest, **fields}
    return signed_in(user, recently=recently).post(url(run, f"approvals/{approval.pk}/decision/"), sent)


def elevated(team: Team) -> WorkflowRun:
    """Somebody asks to skip a checkpoint; that waits for an elevated approval."""
    run = pages.blocked(team)
    controlling.skip_step(run.pk, "gate", reason="Done by hand.", by=team.actor("ada"))
    return run


# the inbox


def test_the_inbox_shows_what_waits_for_me_and_to_others_what_is_open(team: Team) -> None:
    pages.blocked(team)
    assert "gate" in text_of(signed_in(team.grace).get("/approvals/"))
    assert "Nothing waits for you" in text_of(signed_in(team.ada).get("/approvals/"))
    assert "gate" in text_of(signed_in(team.ada).get("/approvals/", {"view": "all"}))
    assert "No decision is open" in text_of(signed_in(UserFactory()).get("/approvals/", {"view": "all"}))


def test_the_riskiest_request_comes_first_then_the_oldest(team: Team) -> None:
    gates = {key: {**GATE, "name": key.title()} for key in ("old", "new", "risky")}
    run = runs.settle(runs.launch(team, "old, new, risky >> ship", gates))
    Approval.objects.filter(pk=approval_of(run, "risky").pk).update(risk="high")
    Approval.objects.filter(pk=approval_of(run, "old").pk).update(requested_at="2026-01-01T00:00:00Z")
    text = text_of(signed_in(team.grace).get("/approvals/"))
    assert text.index("Risky") < text.index("Old") < text.index("New")


def test_a_packet_of_a_foreign_project_is_not_there(team: Team) -> None:
    run = pages.blocked(team)
    path = {"approval": str(approval_of(run).pk)}
    assert signed_in(team.grace).get("/approvals/", path).status_code == 200
    assert signed_in(UserFactory()).get("/approvals/", path).status_code == 404
    assert signed_in(team.grace).get("/approvals/", {"approval": "nonsense"}).status_code == 404


def test_the_packet_shows_what_would_run_why_and_what_follows(team: Team) -> None:
    run = pages.blocked(team, instructions="Read the release notes.", quorum=2)
    text = text_of(signed_in(team.grace).get("/approvals/", {"approval": str(approval_of(run).pk)}))
    assert "Read the release notes." in text
    assert "2 of 2 approvals missing" in text
    assert approval_of(run).digest[:12] in text
    assert "“ship” can start." in text
    assert "It needs 1 more after yours" in text


def test_from_the_inbox_one_comes_back_to_the_inbox(team: Team) -> None:
    run = pages.blocked(team)
    answer = decide(team.grace, run, next="/approvals/")
    assert (answer.status_code, answer["Location"]) == (303, "/approvals/")


def test_nobody_is_sent_to_another_site(team: Team) -> None:
    run = pages.blocked(team)
    assert decide(team.grace, run, next="https://evil.example/")["Location"] == url(run)


# deciding


def test_an_approval_lets_the_step_go_on(team: Team) -> None:
    run = pages.blocked(team)
    answer = decide(team.grace, run)
    assert (answer.status_code, answer["Location"]) == (303, url(run))
    assert runs.states(run)["gate"] == "succeeded"
    found = Decision.objects.get()
    assert (found.reason, found.via, found.digest) == ("I looked.", "session", approval_of(run).digest)


def test_a_rejection_fails_the_step(team: Team) -> None:
    run = pages.blocked(team)
    decide(team.grace, run, decision="reject", reason="Not ready.")
    assert runs.states(run)["gate"] == "failed"


def test_two_different_people_are_needed_where_the_plan_asks_for_two(team: Team) -> None:
    run = pages.blocked(team, quorum=2)
    decide(team.grace, run)
    assert runs.states(run)["gate"] == "awaiting_approval"
    decide(team.edsger, run)
    assert runs.states(run)["gate"] == "succeeded"


@pytest.mark.parametrize(("name", "sentence"), [("ada", "You asked for this"), ("linus", "not among those who may")])
def test_launcher_and_viewer_are_refused_by_name(team: Team, name: str, sentence: str) -> None:
    run = pages.blocked(team)
    answer = decide(getattr(team, name), run)
    assert answer.status_code == 403
    assert sentence in text_of(answer)
    assert runs.states(run)["gate"] == "awaiting_approval"


def test_a_stranger_finds_nothing(team: Team) -> None:
    assert decide(UserFactory(), pages.blocked(team)).status_code == 404


def test_a_decision_is_never_made_by_looking(team: Team) -> None:
    run = pages.blocked(team)
    address = url(run, f"approvals/{approval_of(run).pk}/decision/")
    assert signed_in(team.grace).get(address).status_code == 405
    assert not Decision.objects.exists()


def test_a_second_press_is_the_first_one_again(team: Team) -> None:
    run = pages.blocked(team)
    answers = [decide(team.grace, run).status_code for _ in range(2)]
    assert answers == [303, 303]
    assert Decision.objects.count() == 1


def test_the_other_tab_is_told_that_it_is_decided(team: Team) -> None:
    run = pages.blocked(team)
    decide(team.grace, run)
    answer = decide(team.edsger, run)
    assert answer.status_code == 409
    assert "nothing waits for a decision here" in text_of(answer)


def test_what_was_shown_has_to_be_what_is_decided(team: Team) -> None:
    run = pages.blocked(team)
    answer = decide(team.grace, run, digest="0" * 64)
    assert answer.status_code == 409
    assert "look again before you decide" in text_of(answer)
    assert runs.states(run)["gate"] == "awaiting_approval"


@pytest.mark.parametrize("fields", [{"reason": "  "}, {"decision": "perhaps"}, {"reason": "x" * 4001}])
def test_what_is_missing_is_said_at_the_form_and_what_was_typed_stays(team: Team, fields: dict[str, str]) -> None:
    run = pages.blocked(team)
    answer = decide(team.grace, run, **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not Decision.objects.exists()


def test_an_approval_of_another_run_can_not_be_reached_through_this_one(team: Team) -> None:
    mine = pages.blocked(team)
    decide(team.grace, mine)
    runs.settle(mine)
    other = pages.blocked(team)
    address = url(mine, f"approvals/{approval_of(other).pk}/decision/")
    answer = signed_in(team.grace).post(address, {"decision": "approve", "reason": "x", "digest": "y"})
    assert answer.status_code == 404


# elevated


def test_an_elevated_decision_asks_for_the_digest_in_letters(team: Team) -> None:
    run = elevated(team)
    refused = decide(team.grace, run)
    assert refused.status_code == 422
    assert "not the beginning of the digest" in text_of(refused)
    assert decide(team.grace, run, typed_digest=approval_of(run).digest[:8]).status_code == 303
    assert runs.states(run)["gate"] == "skipped"


def test_an_old_sign_in_needs_the_password_again(team: Team) -> None:
    run = elevated(team)
    typed = approval_of(run).digest[:8]
    without = decide(team.grace, run, recently=False, typed_digest=typed)
    assert without.status_code == 403
    assert "Your password, once more" in text_of(without)
    wrong = decide(team.grace, run, recently=False, typed_digest=typed, password="guess")
    assert wrong.status_code == 422
    assert "That is not your password" in text_of(wrong)
    assert runs.states(run)["gate"] == "awaiting_approval"
    assert decide(team.grace, run, recently=False, typed_digest=typed, password=PASSWORD).status_code == 303
    assert runs.states(run)["gate"] == "skipped"


def test_whoever_wants_the_skip_does_not_decide_it(team: Team) -> None:
    run = elevated(team)
    assert decide(team.ada, run, typed_digest=approval_of(run).digest[:8]).status_code == 403
