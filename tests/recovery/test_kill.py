"""kill -9 in the middle: nothing that runs is lost, nothing runs twice, on whichever database the tests are given."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recovery.world import World, ledger_line

pytestmark = pytest.mark.recovery
KEYS = [f"work-{number}" for number in range(8)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.stop()


def test_eight_commands_survive_four_kills_of_the_worker_and_each_runs_exactly_once(world: World) -> None:
    steps = [{"key": key, "type": "command", "command": ledger_line(key, seconds=9), "needs": []} for key in KEYS]
    run = world.ask("launch", [*steps, {"key": "after", "type": "command", "command": "true", "needs": KEYS}])
    for _ in range(4):
        worker = world.start_worker()
        wait_until_all_are_begun(world, run)
        time.sleep(0.7)
        world.kill_worker(worker)
    world.start_worker()
    found = world.wait_for(run, ["succeeded", "failed", "paused"])
    assert found["state"] == "succeeded"
    assert found["taken_up"] >= len(KEYS)
    assert world.ask("ledgers", run) == {key: ["start 1", "end 1"] for key in KEYS}
    assert set(found["attempts"].values()) == {1}


def test_work_that_ended_while_no_worker_lived_is_adopted_with_its_output(world: World) -> None:
    line = "echo begun; sleep 2; echo ended"
    run = world.ask("launch", [{"key": "a", "type": "command", "command": line}])
    worker = world.start_worker()
    while "begun" not in world.ask("log_of", run, "a"):
        time.sleep(0.1)
    world.kill_worker(worker)
    time.sleep(2.5)
    world.start_worker()
    assert world.wait_for(run, ["succeeded", "failed", "paused"])["state"] == "succeeded"
    assert world.ask("log_of", run, "a") == "begun\nended\n"
    assert world.ask("look", run)["attempts"] == {"a": 1}


def test_a_cancel_that_was_asked_while_no_worker_lived_ends_the_work(world: World) -> None:
    run = world.ask("launch", [{"key": "a", "type": "command", "command": ledger_line("a", seconds=60)}])
    worker = world.start_worker()
    wait_until_all_are_begun(world, run)
    world.kill_worker(worker)
    world.ask("cancel", run)
    assert world.ask("look", run)["state"] == "running"
    world.start_worker()
    assert world.wait_for(run, ["canceled"])["steps"] == {"a": "canceled"}
    assert world.ask("ledgers", run) == {"a": ["start 1"]}


def test_a_second_worker_leaves_alone_what_a_living_one_does(world: World) -> None:
    run = world.ask("launch", [{"key": "a", "type": "command", "command": ledger_line("a", seconds=4)}])
    world.start_worker()
    wait_until_all_are_begun(world, run)
    world.start_worker()
    assert world.wait_for(run, ["succeeded", "failed", "paused"])["taken_up"] == 0
    assert world.ask("ledgers", run) == {"a": ["start 1", "end 1"]}


def wait_until_all_are_begun(world: World, run: str) -> None:
    deadline = time.monotonic() + 30
    wanted = world.ask("look", run)["steps"]
    while len(world.ask("ledgers", run)) < len([key for key in wanted if key != "after"]):
        assert time.monotonic() < deadline, (world.folder / "worker.log").read_text()[-4000:]
        time.sleep(0.2)
