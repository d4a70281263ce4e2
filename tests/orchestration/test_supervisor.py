"""A command under its supervisor, with real processes: what it may do, how it ends, what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration import processes, spawner
from orchestration.spool import Spool
from tests.orchestration.processes_of_tests import begin, end_of, living, prepared, run, said, spec, until

pytestmark = pytest.mark.pure

MIB = 1024 * 1024


def supervisor_of(spool: Spool) -> int:
    return int(until(spool.claimed)["pid"])


def test_a_command_leaves_its_output_by_stream_and_its_exit_code(tmp_path: Path) -> None:
    end, streams = run(tmp_path, "echo out; echo err >&2; exit 3")

    assert (end.exit_code, end.signal, end.reason, end.group_empty) == (3, None, "", True)
    assert streams == {"stdout": b"out\n", "stderr": b"err\n", "system": b""}


def test_a_command_that_is_killed_tells_the_signal(tmp_path: Path) -> None:
    end, _ = run(tmp_path, "kill -SEGV $$")

    assert (end.exit_code, end.signal, end.reason) == (None, signal.SIGSEGV, "")


def test_binary_output_arrives_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(wanted := os.urandom(300_000))

    _, streams = run(tmp_path, f"cat {tmp_path}/data; cat {tmp_path}/data >&2")

    assert streams["stdout"] == wanted
    assert streams["stderr"] == wanted


def test_the_command_has_the_environment_it_was_given_and_nothing_else(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")

    _, streams = run(tmp_path, "env; cat /proc/$PPID/environ | tr '\\0' '\\n'", env={"PATH": "/usr/bin:/bin", "A": "1"})

    names = {line.split("=")[0] for line in streams["stdout"].decode().splitlines()}
    assert names == {"PATH", "A", "PWD", "SHLVL", "_"}


def test_the_command_inherits_no_descriptor_no_terminal_and_no_ignored_signal(tmp_path: Path) -> None:
    _, streams = run(
        tmp_path,
        "ls /proc/self/fd | wc -l; readlink /proc/self/fd/0; (: </dev/tty) 2>&1 | tail -c 26; "
        "grep -E 'SigIgn|SigBlk|NoNewPrivs' /proc/self/status; umask; ulimit -c; ulimit -n",
        nofile=123,
    )

    count, stdin, tty, blocked, ignored, privileges, *limits = streams["stdout"].decode().splitlines()
    assert (count, stdin, tty) == ("4", "/dev/null", "No such device or address")
    assert blocked.split() == ["SigBlk:", "0" * 16]
    assert ignored.split() == ["SigIgn:", "0" * 16]
    assert privileges.split() == ["NoNewPrivs:", "1"]
    assert limits == ["0022", "0", "123"]


def test_a_gigabyte_of_output_is_cut_visibly_and_counted(tmp_path: Path) -> None:
    end, streams = run(tmp_path, "head -c 1000000000 /dev/zero", max_output_bytes=MIB)

    assert end.exit_code == 0
    assert streams["stdout"] == bytes(MIB)
    assert end.dropped_bytes == 1_000_000_000 - MIB
    assert f"the limit of {MIB} bytes".encode() in streams["system"]
    assert str(end.dropped_bytes).encode() in streams["system"]
    assert (tmp_path / "spool/output").stat().st_size < 3 * MIB


def test_output_up_to_the_limit_is_not_cut(tmp_path: Path) -> None:
    end, streams = run(tmp_path, "head -c 1000 /dev/zero", max_output_bytes=1000)

    assert (end.dropped_bytes, streams["system"]) == (0, b"")


def test_the_time_limit_ends_a_command_that_ignores_being_asked(tmp_path: Path) -> None:
    line = "trap '' TERM; echo started; while :; do sleep 0.05; done"

    end, streams = run(tmp_path, line, timeout_seconds=0.5, grace_seconds=0.3)

    assert (end.reason, end.signal, end.group_empty) == ("timeout", signal.SIGKILL, True)
    assert streams["stdout"] == b"started\n"


def test_a_command_that_is_ended_may_tidy_up_within_its_grace(tmp_path: Path) -> None:
    line = "trap 'echo tidy; exit 9' TERM; while :; do sleep 0.05; done"

    end, streams = run(tmp_path, line, timeout_seconds=0.3, grace_seconds=20)

    assert (end.reason, end.exit_code) == ("timeout", 9)
    assert streams["stdout"] == b"tidy\n"


def test_canceling_ends_the_whole_tree_wherever_it_has_gone(tmp_path: Path) -> None:
    mark = f"1{os.getpid()}7"
    line = (
        f"setsid sleep {mark} & (setsid bash -c \"trap '' TERM HUP; sleep {mark} & wait; sleep {mark}\" &) ; "
        f"nohup sleep {mark} >/dev/null 2>&1 & disown -a; echo ready; wait; sleep {mark}"
    )
    spool = begin(tmp_path, line, grace_seconds=0.5)
    until(lambda: said(spool)["stdout"])

    spool.ask_to_end("canceled")

    end = end_of(spool)
    assert (end.reason, end.group_empty) == ("canceled", True)
    assert living(f"sleep {mark}") == []


def test_a_tree_that_keeps_forking_is_ended(tmp_path: Path) -> None:
    mark = f"2{os.getpid()}8"
    line = (
        f"trap '' TERM; again() {{ trap '' TERM; while :; do (sleep 0.02; again) & sleep {mark}; done; }}; again & wait"
    )
    spool = begin(tmp_path, f"ulimit -u 400; echo ready; {line}", grace_seconds=0.3)
    until(lambda: said(spool)["stdout"])

    spool.ask_to_end("canceled")

    assert end_of(spool).group_empty
    assert living(f"sleep {mark}") == []


def test_what_a_finished_command_left_running_is_ended_and_told(tmp_path: Path) -> None:
    mark = f"3{os.getpid()}9"

    end, streams = run(tmp_path, f"setsid sleep {mark} & echo done")

    assert (end.exit_code, end.stragglers, end.group_empty) == (0, 1, True)
    assert b"left behind" in streams["system"]
    assert living(f"sleep {mark}") == []


def test_output_of_a_pipe_held_open_by_a_leftover_is_complete(tmp_path: Path) -> None:
    end, streams = run(
        tmp_path, "(trap '' TERM; touch set; sleep 0.2; echo late) & until [ -e set ]; do :; done; echo early"
    )

    assert end.exit_code == 0
    assert streams["stdout"] == b"early\nlate\n"


def test_a_request_to_end_that_came_before_the_bell_could_ring_is_heeded(tmp_path: Path) -> None:
    spool = prepared(tmp_path)
    (spool.folder / "cancel.json").write_text('{"reason": "canceled"}')

    spawner.launch(spec(tmp_path, "sleep 100"), spool.folder)

    assert end_of(spool).reason == "canceled"


def test_a_supervisor_that_is_told_to_stop_ends_its_command_and_says_so(tmp_path: Path) -> None:
    spool = begin(tmp_path, "echo ready; sleep 100")
    until(lambda: said(spool)["stdout"])

    os.kill(supervisor_of(spool), signal.SIGTERM)

    assert end_of(spool).reason == "terminated"


def test_a_killed_supervisor_takes_its_command_along_and_leaves_no_result(tmp_path: Path) -> None:
    mark = f"4{os.getpid()}1"
    spool = begin(tmp_path, f"echo ready; exec sleep {mark}")
    until(lambda: said(spool)["stdout"])

    os.kill(supervisor_of(spool), signal.SIGKILL)

    until(lambda: not spool.is_held())
    until(lambda: not living(f"sleep {mark}"))
    assert spool.read_exit(3) is None


@pytest.mark.parametrize("cwd", ["missing", "link", "link/below", "file"])
def test_a_folder_that_is_gone_or_a_link_by_now_is_not_entered(tmp_path: Path, cwd: str) -> None:
    (tmp_path / "elsewhere/below").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    (tmp_path / "work/file").touch()
    (tmp_path / "work/link").symlink_to(tmp_path / "elsewhere")

    end, streams = run(tmp_path, "echo ran", cwd=cwd)

    assert end.reason == "workspace"
    assert streams["stdout"] == b""


def test_a_workspace_that_is_gone_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "echo ran", root=str(tmp_path / "gone"))[0].reason == "workspace"


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    spool = prepared(tmp_path)
    wanted = spec(tmp_path, "")
    spawner.launch(type(wanted)(**{**vars(wanted), "argv": ["/no/such/bash"]}), spool.folder)

    assert end_of(spool).reason == "start"


def test_a_void_claim_keeps_a_late_supervisor_from_beginning(tmp_path: Path) -> None:
    spool = prepared(tmp_path)
    assert spool.claim("void")

    handle = spawner.launch(spec(tmp_path, f"touch {tmp_path}/ran"), spool.folder)

    until(lambda: not processes.is_same(handle.pid, handle.start_time))
    assert not (tmp_path / "ran").exists()
    assert spool.read_exit(3) is None


def test_of_many_that_are_asked_to_run_one_folder_only_one_does(tmp_path: Path) -> None:
    spool = prepared(tmp_path)
    for _ in range(5):
        spawner.launch(spec(tmp_path, f"echo x >> {tmp_path}/ran"), spool.folder)

    end_of(spool)

    until(lambda: not spool.is_held())
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_spawner_that_was_killed_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    run(tmp_path / "a", "true")
    server = spawner._spawner._process
    assert server is not None
    server.kill()
    server.wait()
    (tmp_path / "b").mkdir()

    assert run(tmp_path / "b", "exit 5")[0].exit_code == 5


def test_the_command_outlives_the_server_and_everything_in_its_process_group(tmp_path: Path) -> None:
    script = f"""
import sys, time; sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from tests.orchestration.processes_of_tests import begin
begin(Path({str(tmp_path)!r}), "echo first; sleep 1; echo second; exit 4")
print("launched", flush=True); time.sleep(100)
"""
    server = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert server.stdout is not None
    assert server.stdout.readline() == b"launched\n"
    spool = Spool(tmp_path / "spool")
    until(lambda: said(spool)["stdout"])

    os.killpg(server.pid, signal.SIGKILL)
    server.wait()

    assert end_of(spool).exit_code == 4
    assert said(spool)["stdout"] == b"first\nsecond\n"


def test_the_memory_of_a_supervisor_does_not_grow_with_one_endless_line(tmp_path: Path) -> None:
    spool = begin(tmp_path, "head -c 500000000 /dev/zero | tr '\\0' x", max_output_bytes=MIB)
    pid = supervisor_of(spool)
    most = 0

    while spool.read_exit(3) is None:
        status = Path(f"/proc/{pid}/status")
        if status.exists():
            sizes = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")]
            most = max([most, *map(int, sizes)])

    assert 0 < most < 64 * 1024
