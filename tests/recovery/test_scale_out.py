"""Web and workers apart on PostgreSQL: a launch in one process is started by another at once, by a nudge."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recovery.world import World

pytestmark = [pytest.mark.recovery, pytest.mark.postgres_only]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        pytest.fail("This test is about PostgreSQL: it is marked postgres_only.")
    made = World(tmp_path, dispatch="distributed")
    yield made
    made.stop()


def test_a_launch_elsewhere_reaches_a_worker_through_the_database(world: World) -> None:
    worker = world.start_worker()
    warm = world.ask("launch", [{"key": "a", "type": "command", "command": "true"}])
    assert world.wait_for(warm, ["succeeded", "failed"])["state"] == "succeeded"
    for _ in range(5):
        run = world.ask("launch", [{"key": "a", "type": "command", "command": "true"}])
        assert world.wait_for(run, ["succeeded", "failed"])["state"] == "succeeded"
    assert world.ask("nudges_left") == 0
    assert worker.poll() is None


def test_two_workers_share_a_fan_out_and_start_each_step_once(world: World) -> None:
    world.start_worker()
    world.start_worker()
    time.sleep(1)
    keys = [f"s{number}" for number in range(40)]
    steps = [{"key": key, "type": "command", "command": "sleep 0.3", "needs": []} for key in keys]
    run = world.ask("launch", steps)
    found = world.wait_for(run, ["succeeded", "failed"])
    assert found["state"] == "succeeded", found
    assert set(found["attempts"].values()) == {1}
    assert len(world.ask("owners", run)) == 2
