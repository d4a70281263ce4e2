"""An agent whose process dies at any moment is taken up by another one: nothing is lost, nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestration.executors.base import Outcome, StepContext
from tests.orchestration.providers.hosts import AgentFakeHost, Died, make_step, run
from tests.orchestration.providers.plays import Turn, say
from tests.orchestration.providers.stages import Stage, stage

pytestmark = pytest.mark.pure
EVERY = ("openai", "openai-foreground", "anthropic", "simulated")
WORK = Turn(
    calls=(
        ("run_command", {"command": "echo ran >> log.txt"}),
        ("edit_file", {"path": "counter.txt", "old": "n", "new": "nn"}),
        ("write_file", {"path": "new.txt", "content": "new"}),
        ("list_files", {}),
    )
)


@pytest.fixture(params=EVERY)
def on(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with stage(request.param) as ready:
        yield ready


class Mortal:
    """Lets a process die at its n-th durable word; afterwards it says nothing any more."""

    def __init__(self, host: AgentFakeHost, moment: int) -> None:
        self.words = 0
        self.moment = moment
        host.dies = self.dies

    def dies(self, what: str, data: Mapping[str, Any]) -> None:
        self.words += 1
        if self.words >= self.moment:
            raise Died


def test_a_process_that_dies_at_any_moment_loses_and_repeats_nothing(on: Stage, tmp_path: Path) -> None:
    on.play(WORK, say("All done."))
    moments = count_moments(on, tmp_path / "whole")
    assert moments > 15
    for moment in range(1, moments + 1):
        step = prepared(on, tmp_path / str(moment))
        host = AgentFakeHost(on.settings)
        Mortal(host, moment)
        with pytest.raises(Died):
            run(step, host)
        outcome = take_up(on, step, host)
        assert outcome.kind == "succeeded", f"{outcome.error} (died at {moment})"
        assert (step.workspace / "log.txt").read_text() == "ran\n", f"died at {moment}"
        assert (step.workspace / "counter.txt").read_text() == "nn", f"died at {moment}"
        assert (step.workspace / "new.txt").read_text() == "new"


def prepared(on: Stage, folder: Path) -> StepContext:
    folder.mkdir()
    step = make_step(on, folder)
    (step.workspace / "counter.txt").write_text("n")
    return step


def count_moments(on: Stage, folder: Path) -> int:
    host = AgentFakeHost(on.settings)
    mortal = Mortal(host, 10**9)
    assert run(prepared(on, folder), host).kind == "succeeded"
    return mortal.words


def take_up(on: Stage, step: StepContext, dead: AgentFakeHost) -> Outcome:
    """Another process, with what the first one stored and nothing else."""
    second = AgentFakeHost(on.settings)
    second.offset = dead.offset
    handle = dead.handles[-1] if dead.handles else {}
    checkpoint = dead.checkpoints[-1] if dead.checkpoints else None
    return run(replace(step, handle=handle, checkpoint=checkpoint), second)


def test_live_text_is_neither_lost_nor_doubled_where_the_stream_is_taken_up(tmp_path: Path) -> None:
    with stage("openai") as on:
        on.play(say("All the words of the answer."))
        on.hang()
        host = AgentFakeHost(on.settings)
        host.on_log = lambda _: (_ for _ in ()).throw(Died)
        with pytest.raises(Died):
            run(make_step(on, tmp_path), host)
        second = AgentFakeHost(on.settings)
        second.offset, second.pieces = host.offset, list(host.pieces)
        step = make_step(on, tmp_path, handle=host.handles[-1])
        assert run(step, second).kind == "succeeded"
    assert second.words() == "All the words of the answer."


def test_time_already_spent_counts_after_a_restart(tmp_path: Path) -> None:
    with stage("simulated") as on:
        on.play(Turn(calls=(("list_files", {}),)), say("Done."))
        host = AgentFakeHost(on.settings)
        host.dies = lambda what, data: (_ for _ in ()).throw(Died) if what == "tool_call.finished" else None
        with pytest.raises(Died):
            run(make_step(on, tmp_path), host)
        checkpoint = {**host.checkpoints[-1], "spent_seconds": 100.0}
        again = run(
            make_step(on, tmp_path, checkpoint=checkpoint, handle={}, timeout_seconds=60), AgentFakeHost(on.settings)
        )
    assert (again.kind, again.reason) == ("failed", "timeout")


def test_an_edit_that_was_interrupted_is_not_forced_on_a_file_that_changed(tmp_path: Path) -> None:
    with stage("simulated") as on:
        on.play(Turn(calls=(("edit_file", {"path": "counter.txt", "old": "n", "new": "nn"}),)), say("Done."))
        step = prepared(on, tmp_path / "step")
        host = AgentFakeHost(on.settings)
        saves = iter(range(100))
        host.dies = lambda what, data: (
            (_ for _ in ()).throw(Died) if what == "checkpoint" and next(saves) == 2 else None
        )
        with pytest.raises(Died):
            run(step, host)
        (step.workspace / "counter.txt").write_text("n and more")
        second = AgentFakeHost(on.settings)
        run(replace(step, handle=host.handles[-1], checkpoint=host.checkpoints[-1]), second)
    assert (step.workspace / "counter.txt").read_text() == "n and more"
    assert "has changed since" in second.told("tool_call.finished")[0]["summary"]
