"""One project can't starve another: the queue takes turns, and a busy thread gives way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import connections

from orchestration import dispatch, pool, worker
from orchestration.engine import recovering
from orchestration.executors.base import Host, Outcome, StepContext
from orchestration.lanes import Lanes
from orchestration.models import StepRun
from orchestration.pool import Pool
from tests.orchestration import runs
from tests.orchestration.runs import Team

MANY = ", ".join(f"s{number}" for number in range(500))


@pytest.mark.pure
def test_lanes_take_turns_and_each_keeps_its_order() -> None:
    lanes: Lanes[str] = Lanes()
    for lane, item in ((1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2")):
        assert not lanes.put(lane, item), "nobody waits to take it"
    assert [lanes.take() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]


@pytest.mark.pure
def test_a_lane_knows_whether_another_one_waits() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.put(1, "a1")
    assert not lanes.others_wait(1)
    assert lanes.others_wait(2)
    lanes.take()
    assert not lanes.others_wait(2)


@pytest.mark.pure
def test_one_who_waits_takes_one_of_two_and_a_closed_queue_lets_everybody_go() -> None:
    lanes: Lanes[str] = Lanes()
    taken: list[str | None] = []
    threads = [threading.Thread(target=lambda: taken.append(lanes.take())) for _ in range(2)]
    threads[0].start()
    while lanes._takers < 1:
        threading.Event().wait(0.001)
    with lanes._changed:  # the same moment: the taker has not woken up yet
        assert [lanes.put(1, "a1"), lanes.put(1, "a2")] == [True, False]
    threads[0].join(10)
    threads[1].start()
    threads[1].join(10)
    last = threading.Thread(target=lambda: taken.append(lanes.take()))
    last.start()
    lanes.close()
    last.join(10)
    assert taken == ["a1", "a2", None]


def team(folder: Path, slug: str, **project: Any) -> Team:
    (folder / slug).mkdir()
    return runs.make_team(folder / slug, slug=slug, **project)


class Steps:
    """An executor that notes who was served, and holds everybody until it is told to go on."""

    def __init__(self) -> None:
        self.served: list[str] = []
        self.busy, self.go_on, self.small_is_done = threading.Semaphore(0), threading.Event(), threading.Event()

    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        return []

    def execute(self, context: StepContext, host: Host) -> Outcome:
        self.served.append(context.project)
        self.busy.release()
        self.go_on.wait(30)
        if context.project == "small":
            self.small_is_done.set()
        return runs.DONE


@contextmanager
def two_threads(steps: Steps) -> Iterator[Pool]:
    """The pool's threads without its loops, so that nothing but nudges brings work."""
    workers = Pool(2)
    dispatch.register(workers)
    work = workers._work

    def work_and_close() -> None:
        work()
        connections.close_all()

    try:
        with (
            mock.patch.object(worker, "executor_for", return_value=steps),
            mock.patch.object(workers, "_work", work_and_close),
        ):
            yield workers
    finally:
        steps.go_on.set()
        workers.stop()
        for thread in workers._threads:
            thread.join(30)


@pytest.mark.django_db(transaction=True)
def test_a_project_with_one_step_does_not_wait_for_five_hundred_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "TURN_SECONDS", 0.0)
    big = team(tmp_path, slug="big", max_running_steps=1000)
    small = team(tmp_path, slug="small")
    steps = Steps()
    with two_threads(steps):
        runs.launch(big, MANY)
        assert all(steps.busy.acquire(timeout=30) for _ in range(2))
        runs.launch(small, "only")
        steps.go_on.set()
        assert steps.small_is_done.wait(30)
    assert steps.served.index("small") <= 4
    assert StepRun.objects.filter(run__project=big.project, state="ready").exists()


@pytest.mark.django_db
def test_a_lost_nudge_of_a_small_project_is_made_up_for_beside_many_of_another(tmp_path: Path) -> None:
    big = team(tmp_path, slug="big")
    small = team(tmp_path, slug="small")
    runs.launch(big, MANY)
    runs.launch(small, "only")
    listener = mock.Mock()
    dispatch.register(listener)
    try:
        recovering.nudge_ready()
    finally:
        dispatch.unregister(listener)
    nudged = [call.args[0] for call in listener.nudge.call_args_list]
    assert len(nudged) == recovering.BATCH
    assert small.project.pk in nudged[:2]
