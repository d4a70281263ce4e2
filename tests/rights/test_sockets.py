"""Every socket by everybody, against the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rights.table import IN, SOCKETS, expected
from tests.rights.world import EVERYBODY, make_world
from tests.workbench.sockets import Socket, play
from workbench.urls import websocket_urlpatterns

pytestmark = pytest.mark.django_db(transaction=True)
NOWHERE = "00000000-0000-0000-0000-00000000dead"


def test_every_socket_is_in_the_table_and_no_other() -> None:
    assert [str(entry.pattern) for entry in websocket_urlpatterns] == list(SOCKETS)


def test_only_who_may_see_a_run_listens_to_it_and_the_others_learn_nothing(tmp_path: Path, settings: Any) -> None:
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
    settings.ARTIFACTS_DIR.mkdir()
    world = make_world(tmp_path)
    listening, told = {}, set()

    async def story() -> None:
        for who in EVERYBODY:
            async with Socket(f"/ws/workflow-runs/{world.waiting.pk}/", world.people.get(who)) as socket:
                listening[who] = socket.accepted
                told.add((socket.accepted, socket.closed))
        async with Socket(f"/ws/workflow-runs/{NOWHERE}/", world.people["admin"]) as socket:
            told.add((socket.accepted, socket.closed))

    play(story)
    (need,) = SOCKETS.values()
    assert listening == {who: expected(need, who) == IN for who in EVERYBODY if who != "revoked token"} | {
        "revoked token": True  # a session is no token: this person signed in
    }
    assert len(told) == 2  # let in, or refused in one way
