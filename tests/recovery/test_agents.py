"""kill -9 while an agent works: its calls are made once, its decisions hold, in whichever process goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.world import World, ledger_line

pytestmark = pytest.mark.recovery


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.stop()


def agent(*lines: str) -> dict[str, Any]:
    prompt = "\n".join(["Do it.", *lines])
    return {"key": "a", "type": "sdk", "provider": "simulated", "prompt": prompt, "tools": ["run_command"]}


def call(command: str) -> str:
    return f"!tool run_command {json.dumps({'command': command})}"


def test_a_command_of_an_agent_outlives_the_worker_and_runs_once(world: World) -> None:
    run = world.ask("launch", [agent(call(ledger_line("a", seconds=4)), "!hang 3", "!say Done.")])
    worker = world.start_worker()
    while not world.ask("ledgers", run):
        time.sleep(0.2)
    world.kill_worker(worker)
    worker = world.start_worker()
    while len(world.ask("ledgers", run)["a"]) < 2:
        time.sleep(0.2)
    time.sleep(1.5)
    world.kill_worker(worker)
    world.start_worker()
    assert world.wait_for(run, ["succeeded", "failed", "paused"])["state"] == "succeeded"
    assert world.ask("ledgers", run) == {"a": ["start 1", "end 1"]}
    world.manage("check_runs", "--skip-checks")


def test_a_decision_made_while_no_worker_lived_is_followed_once(world: World) -> None:
    risky = f"rm -f nothing; {ledger_line('a', seconds=0)}"
    run = world.ask("launch", [agent(call(risky), "!say Done.")])
    worker = world.start_worker()
    world.wait_for(run, ["blocked", "failed"])
    world.kill_worker(worker)
    world.ask("approve", run, "a")
    world.start_worker()
    assert world.wait_for(run, ["succeeded", "failed", "paused"])["state"] == "succeeded"
    assert len(world.ask("ledgers", run)["a"]) == 2
    world.manage("check_runs", "--skip-checks")
