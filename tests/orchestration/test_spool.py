"""The folder in which supervisor and follower meet."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from orchestration.frames import HEADER, STDERR, STDOUT, OutputLog, parse
from orchestration.spool import Exit, Spool

pytestmark = pytest.mark.pure


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.prepare()
    return made


def test_only_its_owner_can_look_into_it(spool: Spool) -> None:
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700


def test_of_many_claims_exactly_one_wins(spool: Spool) -> None:
    start = threading.Barrier(16)
    won: list[str] = []

    def claim(by: str) -> None:
        start.wait()
        if spool.claim(by):
            won.append(by)

    threads = [threading.Thread(target=claim, args=(f"side {number}",)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert (spool.claimed() or {})["by"] == won[0]


def test_a_claim_is_never_seen_half_written(spool: Spool) -> None:
    spool.claim("run", pid=12, token=4)

    assert [path.name for path in spool.folder.glob("claim*")] == ["claim"]
    assert (spool.claimed() or {})["pid"] == 12


def test_a_hold_ends_with_its_holder(spool: Spool) -> None:
    assert not spool.is_held()
    hold = spool.hold()
    assert spool.is_held()

    os.close(hold)

    assert not spool.is_held()


def test_the_end_is_read_by_its_own_token_alone(spool: Spool) -> None:
    spool.write_exit(Exit(token=5, exit_code=0))

    assert spool.read_exit(5) == Exit(token=5, exit_code=0)
    assert spool.read_exit(4) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"token": "5"}'])
def test_a_damaged_end_is_no_end(spool: Spool, content: str) -> None:
    (spool.folder / "exit.json").write_text(content)

    assert spool.read_exit(5) is None


def test_the_end_takes_no_more_room_than_was_set_aside_for_it(spool: Spool) -> None:
    spool.reserve_exit()
    reserved = (spool.folder / "exit.part").stat()

    spool.write_exit(Exit(token=5, reason="storage", detail="x" * 1000))

    written = (spool.folder / "exit.json").stat()
    assert (written.st_ino, written.st_size) == (reserved.st_ino, reserved.st_size)


def test_frames_are_read_on_from_any_end_of_a_frame(spool: Spool) -> None:
    log = OutputLog(spool.output, 1000)
    for stream, data in ((STDOUT, b"one"), (STDERR, b"two"), (STDOUT, b"three")):
        log.write(stream, data)

    first, *rest = spool.frames(0)

    assert (first.stream, first.data) == ("stdout", b"one")
    assert [(frame.stream, frame.data) for frame in spool.frames(first.end)] == [
        ("stderr", b"two"),
        ("stdout", b"three"),
    ]
    assert list(spool.frames(rest[-1].end)) == []


def test_a_frame_that_is_still_being_written_waits() -> None:
    whole = HEADER.pack(STDOUT, 1.0, 5) + b"hello"

    assert [frame.data for frame in parse(whole + whole[:-1], 0)] == [b"hello"]
    assert list(parse(whole[:5], 0)) == []


def test_a_full_disk_leaves_whole_frames_behind(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    log = OutputLog(spool.output, 1000)
    log.write(STDOUT, b"kept")

    def half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, bytes(data)[:7])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestration.frames.write_all", half)
    with pytest.raises(OSError, match="No space"):
        log.write(STDOUT, b"lost")

    assert spool.output.stat().st_size == log.size
    assert [frame.data for frame in spool.frames(0)] == [b"kept"]


def test_output_in_single_bytes_does_not_fill_the_disk_with_headers(spool: Spool) -> None:
    log = OutputLog(spool.output, 100_000)
    for _ in range(100_000):
        log.write(STDOUT, b"x")

    assert log.is_full
    assert spool.output.stat().st_size < 300_000
    assert log.recorded + log.dropped == 100_000
