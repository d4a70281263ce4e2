"""The live channel: who may listen, that every event comes once and in order, and when the server hangs up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from orchestration.engine import controlling
from orchestration.models import WorkflowRun
from policy.models import Membership
from tests.factories import UserFactory
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench import pages
from tests.workbench.sockets import Socket, aside, play
from workbench import consumers, feeds, fragments

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


def address(run: WorkflowRun, after: int = 0, **query: str) -> str:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return f"/ws/workflow-runs/{run.pk}/?after={after}{more}"


def is_refused(path: str, user: User | None, **options: str | None) -> bool:
    accepted = []

    async def story() -> None:
        async with Socket(path, user, **options) as socket:  # type: ignore[arg-type]
            accepted.append(socket.accepted)

    play(story)
    return accepted == [False]


# who may listen


def test_a_member_may_listen(team: Team) -> None:
    assert not is_refused(address(runs.launch(team, "build")), team.linus)


def test_unknown_and_foreign_runs_are_refused_alike(team: Team) -> None:
    run, stranger = runs.launch(team, "build"), UserFactory()
    assert is_refused(address(run), stranger)
    assert is_refused("/ws/workflow-runs/00000000-0000-0000-0000-000000000001/?after=0", stranger)
    assert is_refused("/ws/workflow-runs/nonsense/?after=0", stranger)


def test_whoever_is_signed_out_is_refused(team: Team) -> None:
    assert is_refused(address(runs.launch(team, "build")), None)


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1", "null", None])
def test_pages_of_other_origins_are_refused(team: Team, origin: str | None) -> None:
    assert is_refused(address(runs.launch(team, "build")), team.linus, origin=origin)


def test_one_person_has_at_most_twenty_sockets(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.launch(team, "build")
    monkeypatch.setattr(consumers, "SOCKETS_EACH", 2)

    async def story() -> None:
        async with Socket(address(run), team.linus) as first, Socket(address(run), team.linus) as second:
            assert first.accepted
            assert second.accepted
            async with Socket(address(run), team.linus) as third:
                assert not third.accepted
            async with Socket(address(run), team.grace) as other:
                assert other.accepted
        async with Socket(address(run), team.linus) as again:
            assert again.accepted

    play(story)


# what comes


def test_every_event_comes_once_and_in_order(team: Team) -> None:
    run = runs.launch(team, "build >> lint, test >> ship")

    async def story() -> None:
        async with Socket(address(run), team.linus) as socket:
            await aside(runs.settle)(run)
            await socket.until(lambda seen: run.last_sequence_no in seen.events)
            assert socket.events == list(range(1, run.last_sequence_no + 1))

    play(story)


def test_a_reconnect_goes_on_where_the_page_was(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build >> ship", {"ship": {"type": "approval"}}))
    middle = run.last_sequence_no // 2

    async def story() -> None:
        async with Socket(address(run, middle), team.linus) as socket:
            await socket.until(lambda seen: run.last_sequence_no in seen.events)
            assert socket.events == list(range(middle + 1, run.last_sequence_no + 1))

    play(story)


def test_a_page_that_is_up_to_date_gets_nothing(team: Team) -> None:
    run = pages.blocked(team)

    async def story() -> None:
        async with Socket(address(run, run.last_sequence_no), team.linus) as socket:
            assert await socket.pipe.receive_nothing(timeout=1.5)

    play(story)


def test_a_long_history_comes_in_portions_without_a_gap(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "AT_ONCE", 7)
    run = runs.settle(
        runs.launch(team, ", ".join(f"s{n}" for n in range(12)) + " >> gate", {"gate": {"type": "approval"}})
    )

    async def story() -> None:
        async with Socket(address(run), team.linus) as socket:
            await socket.until(lambda seen: run.last_sequence_no in seen.events)
            assert socket.events == list(range(1, run.last_sequence_no + 1))
            assert len(socket.html) > 4

    play(story)


def test_several_events_draw_each_part_once(team: Team) -> None:
    run = pages.blocked(team)

    async def story() -> None:
        async with Socket(address(run), team.linus) as socket:
            await socket.until(lambda seen: run.last_sequence_no in seen.events)
            assert len(socket.html) == 1
            for part in ("state-line", "action", "tally", "step-build", "step-gate", "live-cursor"):
                assert socket.all_html.count(f'id="{part}"') == 1
            assert f'data-sequence="{run.last_sequence_no}"' in socket.all_html

    play(story)


def test_what_comes_is_made_for_who_reads_it(team: Team) -> None:
    run = pages.blocked(team)

    async def story() -> None:
        async with Socket(address(run), team.grace) as may, Socket(address(run), team.ada) as may_not:
            for socket in (may, may_not):
                await socket.until(lambda seen: run.last_sequence_no in seen.events)
            assert 'value="approve"' in may.all_html
            assert 'value="approve"' not in may_not.all_html
            assert "You launched this run, so you cannot decide." in may_not.all_html

    play(story)


def test_output_of_the_step_that_is_looked_at_comes_line_by_line(team: Team) -> None:
    run = runs.launch(team, "build")
    runs.start(run, "build")
    pages.say(run, "build", "first\n")

    async def story() -> None:
        async with Socket(address(run, run.last_sequence_no, step="build", panel="log"), team.linus) as socket:
            await socket.say(json.dumps({"asked": "?step=build&panel=log", "line": 1}))
            await aside(pages.say)(run, "build", "second\n")
            await socket.until(lambda seen: "second" in seen.all_html)
            assert 'hx-swap-oob="beforeend:#log-lines-build"' in socket.all_html
            assert ">first<" not in socket.all_html
            assert socket.all_html.count("second") == 1

    play(story)


def test_a_lost_bell_is_made_up_for(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.launch(team, "build")
    monkeypatch.setattr("orchestration.events.ring", lambda run_id: None)

    async def story() -> None:
        async with Socket(address(run, 1), team.linus) as socket:
            await aside(runs.settle)(run)
            await socket.until(lambda seen: run.last_sequence_no in seen.events)
            assert socket.events == list(range(2, run.last_sequence_no + 1))

    play(story)


def test_two_readers_are_told_the_same_story(team: Team) -> None:
    run = runs.launch(team, "build >> ship")

    async def story() -> None:
        async with Socket(address(run), team.linus) as first:
            await aside(runs.start)(run, "build")
            await first.until(lambda seen: bool(seen.events))
            async with Socket(address(run), team.grace) as second:
                await aside(controlling.pause_run)(run.pk, reason="Wait.", by=team.actor("ada"))
                await aside(run.refresh_from_db)()
                for socket in (first, second):
                    await socket.until(lambda seen: run.last_sequence_no in seen.events)
                assert first.events == second.events == list(range(1, run.last_sequence_no + 1))

    play(story)


# the end


def test_the_socket_of_a_run_that_is_over_is_closed_after_the_last_word(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build"))

    async def story() -> None:
        async with Socket(address(run), team.linus) as socket:
            await socket.until(lambda seen: False)
            assert run.last_sequence_no in socket.events
            assert socket.closed == feeds.FINISHED

    play(story)


def leaves(user: User, client: Client) -> None:
    Membership.objects.filter(user=user).delete()


def is_deactivated(user: User, client: Client) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def signs_out(user: User, client: Client) -> None:
    client.logout()


def gets_a_new_password(user: User, client: Client) -> None:
    user.set_password("another one, and long")
    user.save()


def lets_the_session_run_out(user: User, client: Client) -> None:
    Session.objects.update(expire_date=timezone.now())


@pytest.mark.parametrize(
    "loses",
    [leaves, is_deactivated, signs_out, gets_a_new_password, lets_the_session_run_out],
    ids=lambda f: f.__name__,
)
def test_whoever_loses_the_right_to_see_the_run_loses_the_socket(
    team: Team, monkeypatch: pytest.MonkeyPatch, loses: Callable[[User, Client], None]
) -> None:
    run = pages.blocked(team)
    monkeypatch.setattr(feeds, "CHECK_EVERY", 0.2)

    async def story() -> None:
        async with Socket(address(run, run.last_sequence_no), team.linus) as socket:
            await aside(loses)(team.linus, socket.client)
            await socket.until(lambda seen: False)
            assert socket.closed == feeds.GONE

    play(story)


def test_rights_are_looked_at_often_enough_for_five_seconds() -> None:
    assert feeds.CHECK_EVERY + feeds.LOOK_EVERY + feeds.BATCH < 5


def test_a_role_that_became_lower_changes_what_the_next_message_offers(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.launch(team, "build >> gate", {"gate": {"type": "approval"}})
    monkeypatch.setattr(feeds, "CHECK_EVERY", 0.1)

    async def story() -> None:
        async with Socket(address(run, run.last_sequence_no), team.grace) as socket:
            await aside(Membership.objects.filter(user=team.grace).update)(role="viewer")
            await asyncio.sleep(0.5)
            await aside(runs.settle)(run)
            await socket.until(lambda seen: run.last_sequence_no in seen.events)
            assert 'value="approve"' not in socket.all_html

    play(story)


def test_a_reader_that_confirms_nothing_is_parted_with_before_it_fills_the_memory(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.launch(team, "build >> ship", {"ship": {"type": "approval"}})
    monkeypatch.setattr(feeds, "UNREAD_CHARACTERS", 100)

    async def story() -> None:
        async with Socket(address(run), team.linus) as socket:
            await socket.until(lambda seen: False)
            assert socket.closed == feeds.REPLAY

    play(story)


def test_a_slow_reader_is_told_to_come_again(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.launch(team, "build >> ship", {"ship": {"type": "approval"}})
    monkeypatch.setattr(feeds, "UNREAD", 1)
    monkeypatch.setattr(feeds, "PATIENCE", 0.5)

    async def story() -> None:
        async with Socket(address(run), team.linus) as socket:
            await socket.say(json.dumps({"read": True}))
            await socket.until(lambda seen: False)
            assert socket.closed == feeds.REPLAY

    play(story)


def test_a_reader_who_confirms_stays(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.launch(team, "build >> ship", {"ship": {"type": "approval"}})
    monkeypatch.setattr(feeds, "UNREAD", 1)
    monkeypatch.setattr(feeds, "PATIENCE", 0.5)

    async def story() -> None:
        async with Socket(address(run), team.linus) as socket:
            await socket.until(lambda seen: bool(seen.events))
            await socket.say(json.dumps({"read": True}))
            await aside(runs.settle)(run)
            await socket.until(lambda seen: run.last_sequence_no in seen.events)
            assert socket.closed is None

    play(story)


@pytest.mark.parametrize(
    ("messages", "code"),
    [(["x" * 5000], consumers.TOO_LONG), (["{}"] * (consumers.MESSAGES + 1), consumers.TOO_OFTEN)],
)
def test_a_socket_that_is_talked_at_is_closed(team: Team, messages: list[str], code: int) -> None:
    run = pages.blocked(team)

    async def story() -> None:
        async with Socket(address(run, run.last_sequence_no), team.linus) as socket:
            for message in messages:
                await socket.say(message)
            await socket.until(lambda seen: False)
            assert socket.closed == code

    play(story)


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        "[]",
        '{"asked": 7}',
        '{"asked": "?step=build", "line": -1}',
        '{"read": "yes"}',
        '{"decision": "approve"}',
    ],
)
def test_nothing_that_is_said_over_a_socket_changes_anything(team: Team, message: str) -> None:
    run = pages.blocked(team)

    async def story() -> None:
        async with Socket(address(run, run.last_sequence_no), team.grace) as socket:
            await socket.say(message)
            await asyncio.sleep(0.3)
            assert socket.closed is None

    play(story)
    before = run.last_sequence_no
    run.refresh_from_db()
    assert run.last_sequence_no == before


def test_the_feed_ends_with_its_last_reader(team: Team) -> None:
    run = pages.blocked(team)

    async def story() -> None:
        async with Socket(address(run), team.linus) as socket:
            await socket.until(lambda seen: bool(seen.events))
            assert str(run.pk) in feeds._feeds
        async with asyncio.timeout(5):
            while feeds._feeds:
                await asyncio.sleep(0.05)

    play(story)
