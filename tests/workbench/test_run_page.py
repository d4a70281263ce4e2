"""The run page: what it says, who may see it, what its address says, and that nothing on it is markup of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orchestration.engine import controlling, launching
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.hosting import AttemptHost
from orchestration.models import RunSeen
from policy.actors import Actor
from tests.factories import UserFactory
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench import pages
from tests.workbench.pages import HTMX, signed_in, text_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


# who


def test_a_member_sees_the_run(team: Team) -> None:
    run = runs.launch(team, "build >> ship")
    answer = signed_in(team.linus).get(url(run))
    assert answer.status_code == 200
    assert "Run 1" in text_of(answer)


def test_to_a_stranger_nothing_is_there(team: Team) -> None:
    run = runs.launch(team, "build")
    stranger = signed_in(UserFactory())
    unknown = stranger.get(f"/projects/{team.project.slug}/runs/999/")
    found = stranger.get(url(run))
    assert (found.status_code, unknown.status_code) == (404, 404)
    assert team.project.name not in found.content.decode()


@pytest.mark.parametrize(
    "rest", ["", "live/", "report/", "report.json", "plan.yaml", "steps/build/log/lines/", "actions/cancel/"]
)
def test_every_address_of_a_run_is_closed_to_strangers_and_to_whoever_is_signed_out(team: Team, rest: str) -> None:
    run = runs.launch(team, "build")
    assert signed_in(UserFactory()).get(url(run, rest)).status_code == 404
    signed_out = Client().get(url(run, rest))
    assert signed_out.status_code == 302
    assert signed_out["Location"].startswith("/accounts/login/")


def test_htmx_is_sent_to_the_sign_in_page_when_the_session_is_over(team: Team) -> None:
    run = runs.launch(team, "build")
    answer = Client().get(url(run), headers={"HX-Request": "true", "HX-Target": "panel"})
    assert answer["HX-Redirect"].startswith("/accounts/login/")


# the state line


def line_of(team: Team, run: object, name: str = "linus") -> str:
    text = text_of(signed_in(getattr(team, name)).get(url(run)))  # type: ignore[arg-type]
    return text.split("Report")[0]


def test_a_blocked_run_says_who_is_waited_for_and_why_the_reader_cannot_decide(team: Team) -> None:
    run = pages.blocked(team, quorum=2)
    assert "Blocked : “gate” waits for 2 of 2 approvals by approvers. You launched this run, so you cannot decide." in (
        line_of(team, run, "ada")
    )
    assert "You can decide it." in line_of(team, run, "grace")
    assert "You are not among those who may decide it." in line_of(team, run, "linus")
    runs.decide(team, run, "gate", by="grace")
    assert "waits for 1 of 2 approvals by approvers. You have approved it already" in line_of(team, run, "grace")


def test_a_running_run_names_what_runs(team: Team) -> None:
    run = runs.launch(team, "build, lint >> ship")
    runs.start(run, "build")
    runs.start(run, "lint")
    assert "Running : “build” and “lint”." in line_of(team, run)


def test_a_failed_run_names_the_step_and_the_first_line_of_its_error(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build >> ship"), {"build": runs.BROKEN})
    assert "Failed : “build” failed. It ended with code 1." in line_of(team, run)


def test_an_interrupted_run_says_that_nobody_knows(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build >> ship"), {"build": runs.LOST})
    assert "Paused : nobody knows how “build” ended." in line_of(team, run)


def test_pausing_and_canceling_are_told_apart_from_paused_and_canceled(team: Team) -> None:
    run = runs.launch(team, "build >> ship")
    assignment = runs.start(run, "build")
    assert assignment is not None
    controlling.pause_run(run.pk, reason="Lunch.", by=team.actor("ada"))
    assert "Pausing : “build” may still finish" in line_of(team, run)
    runs.finish(assignment)
    assert "Paused : nothing starts until somebody resumes it." in line_of(team, run)
    controlling.cancel_run(run.pk, reason="Wrong plan.", by=team.actor("ada"))
    assert f"Canceled : by {team.ada.username}: Wrong plan." in line_of(team, run)


def test_a_run_that_is_over_says_how_much_was_done(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build >> ship", {"ship": {"when": "false"}}))
    assert "Succeeded : 1 of 2 steps done (1 skipped)." in line_of(team, run)


# parts and address


@pytest.mark.parametrize("tab", ["timeline", "graph", "events", "artifacts", "plan", "nonsense"])
def test_each_tab_can_be_sent_to_a_colleague(team: Team, tab: str) -> None:
    run = runs.settle(runs.launch(team, "build >> ship"), {"ship": runs.BROKEN})
    answer = signed_in(team.linus).get(url(run), {"tab": tab})
    assert answer.status_code == 200
    assert 'aria-current="true"' in answer.content.decode()


@pytest.mark.parametrize("panel", ["log", "agent", "io", "diff", "artifacts", "attempts", "approval", "policy"])
@pytest.mark.parametrize("kind", ["command", "sdk", "approval", "validation"])
def test_each_tab_of_the_panel_shows_for_each_kind_of_step(team: Team, panel: str, kind: str) -> None:
    more = {
        "command": {"command": "make"},
        "sdk": {"provider": "simulated", "prompt": "Look."},
        "approval": {},
        "validation": {"checks": [{"kind": "expression", "expression": "true"}]},
    }[kind]
    run = runs.settle(runs.launch(team, "x", {"x": {"type": kind, **more}}))
    answer = signed_in(team.linus).get(url(run), {"step": "x", "panel": panel})
    assert answer.status_code == 200
    assert 'id="panel"' in answer.content.decode()


def test_htmx_gets_only_the_part_that_it_asked_for(team: Team) -> None:
    run = runs.launch(team, "build")
    client = signed_in(team.linus)
    panel = client.get(url(run), {"step": "build"}, headers={"HX-Request": "true", "HX-Target": "panel"})
    view = client.get(url(run), {"tab": "graph"}, headers={"HX-Request": "true", "HX-Target": "view"})
    assert panel.content.decode().strip().startswith("<aside")
    assert view.content.decode().strip().startswith("<section")
    assert "HX-Request" in panel["Vary"]
    assert "no-store" in panel["Cache-Control"]


def test_an_unknown_step_in_the_address_opens_no_panel(team: Team) -> None:
    run = runs.launch(team, "build")
    answer = signed_in(team.linus).get(url(run), {"step": "nowhere", "line": "x" * 300, "attempt": "²"})
    assert answer.status_code == 200
    assert 'data-panel="closed"' in answer.content.decode()


@pytest.mark.parametrize("state", ["pending", "running", "failed", "interrupted", "skipped", "canceled", "retry_wait"])
def test_every_state_of_a_step_can_be_shown_in_every_view(team: Team, state: str) -> None:
    run = runs.launch(team, "x >> last", {"x": {"retry": {"max_attempts": 2, "backoff_seconds": 600}}})
    if state == "running":
        runs.start(run, "x")
    if state in ("failed", "interrupted", "retry_wait"):
        outcome = {"interrupted": runs.LOST}.get(state, runs.BROKEN)
        run = runs.settle(run, {"x": outcome})
    if state == "failed":
        controlling.retry_step(run.pk, "x", reason="Now.", by=team.actor("ada"))
        run = runs.settle(run, {"x": runs.BROKEN})
    if state == "skipped":
        controlling.skip_step(run.pk, "x", reason="No.", by=team.actor("ada"))
    if state == "canceled":
        controlling.cancel_run(run.pk, reason="No.", by=team.actor("ada"))
    client = signed_in(team.ada)
    for asked in ({"tab": "timeline"}, {"tab": "graph"}, {"tab": "events"}, {"order": "state"}, {"step": "x"}):
        assert client.get(url(run), asked).status_code == 200


def test_events_are_filtered_by_kind_and_actor(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build"))
    client = signed_in(team.linus)
    of_people = text_of(client.get(url(run), {"tab": "events", "actor": team.ada.username}))
    assert "launched the run" in of_people
    assert "succeeded" not in of_people.split("All kinds")[1].split("Run ")[0]
    assert "No such events" in text_of(client.get(url(run), {"tab": "events", "kind": "agent"}))


# safety and cost


def test_nothing_that_others_wrote_is_markup(team: Team) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    run = runs.launch(
        team,
        "x >> gate",
        {"x": {"name": evil, "command": f"echo '{evil}'"}, "gate": {"type": "approval", "instructions": evil}},
    )
    runs.start(run, "x")
    pages.say(run, "x", f"{evil}\n\x1b]8;;javascript:alert(3)\x07link\x1b]8;;\x07\n")
    client = signed_in(team.grace)
    for rest in (
        "?step=x",
        "?step=x&panel=io",
        "?tab=events",
        "?tab=plan",
        "?tab=graph",
        "report/",
        "live/?after=0",
        "?step=x&q=%3Cscript",
    ):
        page = client.get(url(run, rest)).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert 'href="javascript' not in page


def test_a_page_costs_the_same_number_of_statements_for_few_and_for_many_steps(team: Team) -> None:
    client = signed_in(team.linus)
    few, many = (runs.settle(runs.launch(team, ", ".join(f"s{n}" for n in range(count)))) for count in (3, 60))
    counts = []
    for run in (few, many, few, many):
        with CaptureQueriesContext(connection) as caught:
            assert client.get(url(run), {"tab": "timeline", "step": "s1"}).status_code == 200
        counts.append(len(caught))
    assert counts[2] == counts[3]


# since you last looked


def test_a_second_look_tells_what_happened_meanwhile_and_only_once(team: Team) -> None:
    run = runs.launch(team, "build >> ship")
    client = signed_in(team.linus)
    assert "Since you last looked" not in text_of(client.get(url(run)))
    runs.settle(run)
    again = text_of(client.get(url(run)))
    assert "Since you last looked" in again
    assert "2 steps done" in again
    assert "Since you last looked" not in text_of(client.get(url(run)))
    assert RunSeen.objects.get(user=team.linus).sequence_no > 0


def test_what_was_watched_is_no_news_at_the_next_look(team: Team) -> None:
    run = runs.launch(team, "build >> ship")
    client = signed_in(team.linus)
    client.get(url(run))
    runs.settle(run)
    assert client.post(url(run, "seen/"), {"sequence": run.last_sequence_no}).status_code == 204
    assert "Since you last looked" not in text_of(client.get(url(run)))
    assert signed_in(UserFactory()).post(url(run, "seen/"), {"sequence": 1}).status_code == 404


def test_looking_is_no_change_of_the_run(team: Team) -> None:
    run = runs.launch(team, "build")
    before = run.events.count()
    signed_in(team.linus).get(url(run))
    assert run.events.count() == before


# after a failure


def test_a_failure_shows_its_root_its_first_error_line_and_what_follows_from_it(team: Team) -> None:
    run = runs.launch(team, "build >> ship >> tell")
    assignment = runs.start(run, "build")
    assert assignment is not None
    pages.say(run, "build", "compiling\n")
    pages.say(run, "build", "main.c:7: no such thing\n", stream="stderr")
    runs.finish(assignment, runs.BROKEN)
    text = text_of(signed_in(team.ada).get(url(run)))
    assert "“build” failed" in text
    assert "main.c:7: no such thing" in text
    assert "Only consequences: ship, tell" in text


def test_the_same_failure_of_an_earlier_run_is_remembered(team: Team) -> None:
    workflow = runs.make_workflow(team, "build >> ship")
    for _ in range(2):
        run = runs.settle(launching.launch_run(workflow, inputs={}, by=team.actor("ada")), {"build": runs.BROKEN})
        if run.number == 1:
            controlling.cancel_run(run.pk, reason="Free the folder.", by=team.actor("ada"))
    assert "Seen 1 time before" in text_of(signed_in(team.ada).get(url(run)))


def test_an_address_asked_by_the_wrong_method_is_refused(team: Team) -> None:
    run = runs.launch(team, "build")
    assert signed_in(team.ada).post(url(run)).status_code == 405


def test_the_fallback_sends_the_same_parts_as_the_socket(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build"))
    answer = signed_in(team.linus).get(url(run, "live/"), {"after": run.last_sequence_no - 1}, **HTMX)  # type: ignore[arg-type]
    page = answer.content.decode()
    assert f'id="event-{run.last_sequence_no}"' in page
    assert f'id="event-{run.last_sequence_no - 1}"' not in page
    assert 'id="state-line"' in page
    nothing = signed_in(team.linus).get(url(run, "live/"), {"after": run.last_sequence_no})
    assert nothing.content == b""


# an agent


def test_the_agent_tab_tells_turns_calls_notes_and_what_they_cost(team: Team) -> None:
    run = runs.launch(team, "a", {"a": {"type": "sdk", "provider": "simulated", "prompt": "Do it."}})
    runs.start(run, "a")
    say = {
        "agent.context": {"documents": ["a.md"], "tokens": 1200, "cut": ["b.md was left out."]},
        "agent.turn.started": {"turn": 1},
        "agent.turn.finished": {
            "turn": 1, "text": "<i>I look.</i>", "input_tokens": 100, "output_tokens": 20, "cost_usd": 0.5,
        },
        "tool_call.requested": {"call_id": "c1", "name": "run_command", "arguments": {"command": "sudo ls"}},
        "tool_call.denied": {"call_id": "c1", "name": "run_command", "reason": "the rules forbid it"},
        "agent.retry": {"wait_seconds": 2, "reason": "The provider is overloaded (529)."},
    }  # fmt: skip

    def body(change: Change) -> None:
        for kind, data in say.items():
            change.event(kind, "a", data)

    change_run(run.pk, Actor.system("worker"), body)
    page = signed_in(team.linus).get(url(run), {"step": "a", "panel": "agent"})
    text = text_of(page)
    assert "1 turn 1 tool call 100 tokens in 20 out $0.50" in text
    assert "Attached: a.md (about 1,200 tokens). b.md was left out." in text
    assert "&lt;i&gt;I look.&lt;/i&gt;" in page.content.decode()
    assert "run_command sudo ls refused" in text
    assert "Asked again after 2 s: The provider is overloaded (529)." in text
    assert 'hx-trigger="every 2s"' in page.content.decode()


def test_the_agent_tab_shows_the_words_of_this_moment_half_lines_included(team: Team) -> None:
    run = runs.launch(team, "a", {"a": {"type": "sdk", "provider": "simulated", "prompt": "Do it."}})
    assignment = runs.start(run, "a")
    assert assignment is not None
    host = AttemptHost(assignment, runs.OWNER)
    host.emit("agent.turn.started", {"turn": 1})
    assert "nothing was said yet" in text_of(signed_in(team.linus).get(url(run), {"step": "a", "panel": "agent"}))
    host.log("agent", b"I look at <b>", 13)
    page = signed_in(team.linus).get(url(run), {"step": "a", "panel": "agent"})
    assert "I look at &lt;b&gt;" in page.content.decode()
    host.emit("agent.turn.finished", {"turn": 1, "text": "I looked."})
    assert "I look at" not in text_of(signed_in(team.linus).get(url(run), {"step": "a", "panel": "agent"}))
