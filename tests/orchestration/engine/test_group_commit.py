"""Changes that queue for SQLite's one writer share a commit, and nobody notices but the disk."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.sqlite3.base import DatabaseWrapper

from orchestration.engine import door, finishing, locks
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.errors import Busy, WrongState
from orchestration.engine.starting import Assignment
from orchestration.engine.statements import StaleRow
from orchestration.models import WorkflowRun
from policy.actors import Actor
from policy.models import AuditRecord
from tests.orchestration import runs
from tests.orchestration.runs import Team

if settings.ON_POSTGRESQL:
    pytest.skip("PostgreSQL groups commits by itself", allow_module_level=True)
pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
DYING = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "ccdash.settings"
django.setup()
from django.db.backends.sqlite3.base import DatabaseWrapper
from orchestration.models import WorkflowRun
from tests.orchestration.engine.test_group_commit import noting, notes, together

one, two = (WorkflowRun.objects.get(pk=pk) for pk in sys.argv[1:])

def die(self):
    assert notes(one) + notes(two) == ["x", "z", "y"]
    os.write(1, b"three changes are made\\n")
    os._exit(9)

def told(call):
    call()
    os.write(1, b"told\\n")

DatabaseWrapper._commit = die
together(*(lambda call=call: told(call) for call in (noting(one, "x"), noting(two, "y"), noting(one, "z"))))
"""
WORKER = Actor.system("worker")
Call = Callable[[], Any]


@pytest.fixture
def commits() -> Iterator[list[int]]:
    """One entry for each commit, by any thread."""
    made: list[int] = []
    whole = DatabaseWrapper._commit

    def commit(self: DatabaseWrapper) -> None:
        whole(self)
        made.append(1)

    with mock.patch.object(DatabaseWrapper, "_commit", commit):
        yield made


@pytest.fixture
def one(team: Team) -> WorkflowRun:
    return runs.launch(team, "a >> b")


@pytest.fixture
def two(tmp_path: Path) -> WorkflowRun:
    folder = tmp_path / "two"
    folder.mkdir()
    return runs.launch(runs.make_team(folder), "a >> b")


def together(*calls: Call) -> list[Any]:
    """Each on a thread of its own, all queued before the first begins; answers what they returned or raised."""
    found: list[Any] = [None] * len(calls)

    def act(place: int) -> None:
        try:
            found[place] = calls[place]()
        except BaseException as error:  # noqa: BLE001 - what each caller gets is what is looked at
            found[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(place,)) for place in range(len(calls))]
    with locks._writer:
        for place, thread in enumerate(threads):
            thread.start()
            until(lambda place=place: locks._group._is_led and len(locks._group._waiting) == place)
    for thread in threads:
        thread.join(20)
    return found


def until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.001)


def noting(run: WorkflowRun, word: str, then: Callable[[Change], Any] = lambda change: None) -> Call:
    """A change that leaves one event, and may do more."""

    def body(change: Change) -> str:
        change.event("agent.notice", "", {"message": word})
        then(change)
        return word

    return lambda: change_run(run.pk, WORKER, body)


def finishing_of(assignment: Assignment) -> Call:
    return lambda: finishing.finish_attempt(assignment, runs.DONE, owner=runs.OWNER)


def raising(error: BaseException, times: int = 99) -> Callable[[Change], None]:
    left = [error] * times

    def then(change: Change) -> None:
        if left:
            raise left.pop()

    return then


def notes(run: WorkflowRun) -> list[str]:
    found = run.events.filter(type="agent.notice").order_by("sequence_no")
    return [event.data["message"] for event in found]


def assert_whole(run: WorkflowRun) -> None:
    run.refresh_from_db()
    numbers = list(run.events.order_by("sequence_no").values_list("sequence_no", flat=True))
    assert numbers == list(range(1, run.last_sequence_no + 1))
    assert runs.fold(run) == (run.state, runs.states(run))


def test_changes_that_wait_share_a_commit(one: WorkflowRun, two: WorkflowRun, commits: list[int]) -> None:
    assert together(noting(one, "x"), noting(two, "y"), noting(one, "z")) == ["x", "y", "z"]
    assert (notes(one), notes(two), len(commits)) == (["x", "z"], ["y"], 1)
    assert_whole(one)
    assert_whole(two)


def test_work_that_opens_steps_is_done_in_a_group_as_it_is_alone(one: WorkflowRun, two: WorkflowRun) -> None:
    first, second = runs.start(one), runs.start(two)
    assert first is not None
    assert second is not None
    following = together(finishing_of(first), finishing_of(second))
    assert [assignment.step_key for assignment in following] == ["b", "b"]
    for run, assignment in ((one, following[0]), (two, following[1])):
        runs.finish(assignment)
        assert_whole(run)
        assert run.state == "succeeded"


def test_a_refusal_takes_back_itself_alone(one: WorkflowRun, two: WorkflowRun, commits: list[int]) -> None:
    refusal = WrongState("Not now.", state="running")
    found = together(noting(one, "x"), noting(two, "lost", raising(refusal)), noting(one, "z"))
    assert found == ["x", refusal, "z"]
    assert (notes(one), notes(two), len(commits)) == (["x", "z"], [], 1)


def test_a_refusal_in_a_group_leaves_its_audit_record(team: Team, one: WorkflowRun, two: WorkflowRun) -> None:
    ada = team.actor("ada")

    def refuse(change: Change) -> None:
        raise WrongState("Not now.", state="running")

    found = together(noting(one, "x"), lambda: change_run(two.pk, ada, refuse))
    assert isinstance(found[1], WrongState)
    assert AuditRecord.objects.filter(run=str(two.pk), action="refused.wrong_state").count() == 1


def test_what_breaks_leaves_no_half_moved_run_in_memory(one: WorkflowRun) -> None:
    """The later change works on what the earlier one left in memory; when it breaks, that is worth nothing."""
    fault = RuntimeError("a fault of ours")

    def break_half_way(change: Change) -> None:
        change.image.states.put(0, "succeeded")
        raise fault

    assert together(noting(one, "x"), lambda: change_run(one.pk, WORKER, break_half_way)) == ["x", fault]
    assert change_run(one.pk, WORKER, lambda change: list(change.image.states)) == ["ready", "pending"]


def test_two_changes_of_one_run_never_both_start_its_step(one: WorkflowRun) -> None:
    found = together(lambda: runs.start(one), lambda: runs.start(one))
    assert [assignment and assignment.step_key for assignment in found] == ["a", None]
    assert_whole(one)


def test_a_stale_row_is_tried_again_without_the_others(one: WorkflowRun, two: WorkflowRun) -> None:
    found = together(noting(one, "x"), noting(two, "y", raising(StaleRow("changed"), times=1)), noting(one, "z"))
    assert found == ["x", "y", "z"]
    assert (notes(one), notes(two)) == (["x", "z"], ["y"])


def test_a_commit_that_fails_answers_nobody_and_each_tries_alone(one: WorkflowRun, two: WorkflowRun) -> None:
    whole, failing = DatabaseWrapper._commit, [OperationalError("disk I/O error")]

    def commit(self: DatabaseWrapper) -> None:
        if failing:
            raise failing.pop()
        whole(self)

    told: list[uuid.UUID] = []
    with (
        mock.patch.object(DatabaseWrapper, "_commit", commit),
        mock.patch.object(door.events, "announce", lambda run_id, *_: told.append(run_id)),
    ):
        assert together(noting(one, "x"), noting(two, "y"), noting(one, "z")) == ["x", "y", "z"]
    assert (sorted(notes(one)), notes(two)) == (["x", "z"], ["y"])
    assert sorted(map(str, told)) == sorted(map(str, [one.pk, one.pk, two.pk]))
    assert_whole(one)


def test_while_no_commit_succeeds_nothing_is_written_and_everybody_is_told(one: WorkflowRun, two: WorkflowRun) -> None:
    with (
        mock.patch.object(DatabaseWrapper, "_commit", side_effect=OperationalError("disk I/O error")),
        mock.patch.object(door.time, "sleep"),
    ):
        found = together(noting(one, "x"), noting(two, "y"))
    assert [type(error) for error in found] == [Busy, Busy]
    assert notes(one) + notes(two) == []
    assert noting(one, "later")() == "later"
    assert_whole(one)


def test_a_process_that_dies_before_the_commit_has_told_nobody_and_loses_all(
    one: WorkflowRun, two: WorkflowRun
) -> None:
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}"}
    command = [sys.executable, "-c", DYING, str(one.pk), str(two.pk)]
    died = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (died.returncode, died.stdout) == (9, "three changes are made\n"), died.stderr
    assert notes(one) + notes(two) == []
    assert_whole(one)
    assert noting(one, "later")() == "later"


def test_a_transaction_that_the_database_took_back_commits_no_half(one: WorkflowRun, two: WorkflowRun) -> None:
    """As SQLite does by itself on a full disk: the next savepoint would silently begin another transaction."""
    left = [OperationalError("database or disk is full")]

    def run_full(change: Change) -> None:
        if left:
            connection.connection.execute("ROLLBACK")
            raise left.pop()

    found = together(noting(one, "x"), noting(two, "y", run_full), noting(one, "z"))
    assert found == ["x", "y", "z"]
    assert (sorted(notes(one)), notes(two)) == (["x", "z"], ["y"])
    assert_whole(one)


def test_whoever_ends_in_the_middle_leaves_nobody_waiting(one: WorkflowRun, two: WorkflowRun) -> None:
    stop = KeyboardInterrupt()
    found = together(noting(one, "x", raising(stop)), noting(two, "y"), noting(two, "z"))
    assert found[0] is stop
    assert (notes(one), sorted(notes(two))) == ([], ["y", "z"])
    assert_whole(two)


def test_a_change_within_a_change_goes_with_it(one: WorkflowRun, two: WorkflowRun) -> None:
    refusal = WrongState("Not now.", state="running")

    def also(change: Change) -> None:
        noting(two, "inner")()

    def also_and_refuse(change: Change) -> None:
        also(change)
        raise refusal

    found = together(noting(one, "x", also), noting(one, "lost", also_and_refuse), noting(two, "y"))
    assert found == ["x", refusal, "y"]
    assert (notes(one), notes(two)) == (["x"], ["inner", "y"])
    assert_whole(one)
    assert_whole(two)


def test_more_than_a_group_holds_are_done_in_several(one: WorkflowRun, commits: list[int]) -> None:
    with mock.patch("orchestration.engine.group_commit.MOST", 2):
        words = together(*(noting(one, word) for word in "abcdefg"))
    assert words == list("abcdefg") == notes(one)
    assert 1 < len(commits) < 7
    assert_whole(one)
