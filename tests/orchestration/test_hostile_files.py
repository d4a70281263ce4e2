"""What commands may leave in a workspace to lead the product astray: nothing outside is read, written or named, and
nothing inside is so deep, so many or so large that it costs more than its step."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestration import removal
from orchestration.executors import collecting, executor_for
from orchestration.executors.base import ExecutionLimits, Outcome
from orchestration.executors.tools import paths
from tests.orchestration.fakes import FakeHost, make_context

pytestmark = pytest.mark.pure
COMMAND = executor_for("command")
MIB = 1024 * 1024
DEEP = """
import os
for _ in range(2500):
    os.mkdir("d")
    os.chdir("d")
open("leaf.txt", "w").write("x")
"""


def execute(folder: Path, line: str, **changes: Any) -> Outcome:
    return COMMAND.execute(make_context(folder, line, **changes), FakeHost())


def keeping(*patterns: str) -> dict[str, Any]:
    return {"artifacts": [{"path": pattern} for pattern in patterns]}


# depth, numbers, sizes


@pytest.mark.parametrize("place", [".", '"$CCDASH_ARTIFACTS"'])
def test_a_folder_without_bottom_fails_its_step_and_can_be_removed(tmp_path: Path, place: str) -> None:
    (tmp_path / "deep.py").write_text(DEEP)
    wanted = keeping("**/*.txt") if place == "." else {}
    outcome = execute(tmp_path, f"cd {place}; python3 {tmp_path}/deep.py", definition=wanted)

    assert (outcome.kind, outcome.reason) == ("failed", "artifact")
    assert "deep in one another" in outcome.error
    assert len(list(paths.walk(tmp_path / "workspace", "."))) <= paths.MAX_DEPTH
    for name in ("workspace", "artifacts"):
        removal.remove(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_removal_opens_what_is_closed_and_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    closed = tmp_path / "spool" / "closed"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    (closed / "link").symlink_to(outside)
    closed.chmod(0)

    removal.remove(tmp_path / "spool")
    removal.remove(tmp_path / "spool")

    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "kept").exists()


def test_more_files_than_anybody_looks_through_fail_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MAX_VISITED", 200)

    outcome = execute(tmp_path, 'cd "$CCDASH_ARTIFACTS" && touch {1..300}')

    assert (outcome.reason, outcome.artifacts) == ("artifact", ())
    assert "more than 200 files" in outcome.error


def test_a_file_that_is_mostly_nothing_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    limits = ExecutionLimits(max_artifact_bytes=MIB)

    outcome = execute(tmp_path, 'truncate -s 40G "$CCDASH_ARTIFACTS/sparse"', limits=limits)

    assert (outcome.kind, outcome.reason) == ("failed", "artifact")
    kept = [path.stat().st_blocks for path in (tmp_path / "spool/found").iterdir()]
    assert sum(kept) * 512 <= 2 * MIB


def test_a_file_larger_than_any_disk_can_not_be_made(tmp_path: Path) -> None:
    outcome = execute(tmp_path, "truncate -s 20T huge")

    assert "SIGXFSZ" in outcome.error


def test_an_archive_is_kept_as_it_is_and_never_unpacked(tmp_path: Path) -> None:
    line = "head -c 50000000 /dev/zero | gzip -9 > $CCDASH_ARTIFACTS/bomb.gz"

    outcome = execute(tmp_path, line)

    assert [(found.name, found.size < MIB) for found in outcome.artifacts] == [("bomb.gz", True)]
    assert [path.name for path in (tmp_path / "spool/found").iterdir()] == ["00000"]


# links


def test_a_link_on_the_way_does_not_show_what_lies_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "inner"
    outside.mkdir(parents=True)
    (outside / "payroll.csv").touch()

    outcome = execute(tmp_path, f"ln -s {tmp_path}/outside way", definition=keeping("way/inner/*.csv"))

    assert (outcome.kind, outcome.reason) == ("failed", "artifact")
    assert "payroll" not in outcome.error


@pytest.mark.parametrize(
    "made", ["ln -s /nowhere it", "mkfifo it", "ln -s /dev/zero it", "ln -s . it", "mkdir it && ln -s it it/it"]
)
def test_what_is_no_file_is_refused_and_holds_nothing_up(tmp_path: Path, made: str) -> None:
    outcome = execute(tmp_path, made, definition=keeping("it"))

    assert outcome.kind == "failed" or outcome.artifacts == ()


def test_a_file_with_two_names_is_replaced_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine\n")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    os.link(outside, workspace / "same.txt")

    paths.write_bytes(workspace, "same.txt", b"theirs\n")

    assert (outside.read_text(), (workspace / "same.txt").read_text()) == ("mine\n", "theirs\n")


# races


@contextmanager
def flipping(workspace: Path, outside: Path) -> Iterator[None]:
    """`x` is a folder of the workspace at one moment and a link out of it at the next."""
    over = threading.Event()
    (workspace / "real").mkdir()
    (workspace / "real" / "f.txt").write_text("inside")
    (workspace / "link").symlink_to(outside)

    def flip() -> None:
        while not over.is_set():
            for name in ("real", "link"):
                with suppress(OSError):
                    (workspace / name).rename(workspace / "x")
                    (workspace / "x").rename(workspace / name)

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "f.txt").write_text("OUTSIDE")
    return folder


def test_a_folder_that_turns_into_a_link_while_it_is_read_never_leads_out(tmp_path: Path, outside: Path) -> None:
    context = make_context(tmp_path, definition=keeping("x/*"))
    with flipping(context.workspace, outside):
        for number in range(400):
            for found in collecting.collect(context, tmp_path / "found" / str(number), strict=False):
                assert found.path.read_text() == "inside"
            with suppress(OSError, paths.PathRefused):
                assert paths.read_bytes(context.workspace, "x/f.txt", 100) == b"inside"


def test_a_folder_that_turns_into_a_link_while_it_is_written_never_leads_out(tmp_path: Path, outside: Path) -> None:
    context = make_context(tmp_path)
    with flipping(context.workspace, outside):
        for _ in range(400):
            with suppress(OSError, paths.PathRefused):
                paths.write_bytes(context.workspace, "x/f.txt", b"inside")

    assert [path.name for path in outside.iterdir()] == ["f.txt"]
    assert (outside / "f.txt").read_text() == "OUTSIDE"
