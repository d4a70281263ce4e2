"""Command steps: what their end means, how they are canceled, and how they are taken up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from orchestration import spawner
from orchestration.executors import executor_for
from orchestration.executors.base import ExecutionLimits, LeaseLost, Outcome
from orchestration.frames import STDOUT, OutputLog
from orchestration.spool import CommandSpec, Exit, Spool
from tests.orchestration.fakes import FakeHost, make_context
from tests.orchestration.processes_of_tests import PATH, living, until

pytestmark = pytest.mark.pure

COMMAND = executor_for("command")
QUICK = ExecutionLimits(grace_seconds=0.5)


def execute(folder: Path, line: str, **changes: Any) -> tuple[Outcome, FakeHost]:
    host = FakeHost()
    return COMMAND.execute(make_context(folder, line, **changes), host), host


def cancel(host: FakeHost) -> None:
    host.order = "cancel"


# how it ends


def test_a_command_that_ends_with_zero_succeeded(tmp_path: Path) -> None:
    outcome, host = execute(tmp_path, "echo hello; echo oops >&2")

    assert (outcome.kind, outcome.exit_code, outcome.group_empty) == ("succeeded", 0, True)
    assert (host.output("stdout"), host.output("stderr")) == (b"hello\n", b"oops\n")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [("exit 4", "ended with exit code 4"), ("kill -KILL $$", "signal SIGKILL"), ("nonsense-program", "exit code 127")],
)
def test_any_other_end_failed_with_a_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    outcome, _ = execute(tmp_path, line)

    assert (outcome.kind, outcome.reason) == ("failed", "exit")
    assert sentence in outcome.error


def test_the_time_limit_is_a_failure_of_its_own(tmp_path: Path) -> None:
    outcome, _ = execute(tmp_path, "sleep 60", timeout_seconds=0.3, limits=QUICK)

    assert (outcome.kind, outcome.reason, outcome.group_empty) == ("failed", "timeout", True)


def test_the_handle_is_saved_while_the_command_runs(tmp_path: Path) -> None:
    _, host = execute(tmp_path, "true")

    assert [sorted(handle) for handle in host.handles] == [["boot_id", "host", "pid", "spool", "start_time"]]


def test_canceling_ends_the_command_at_once(tmp_path: Path) -> None:
    host = FakeHost(on_log=cancel)

    outcome = COMMAND.execute(make_context(tmp_path, "echo ready; sleep 100", limits=QUICK), host)

    assert (outcome.kind, outcome.group_empty, outcome.effect_unknown) == ("canceled", True, False)


def test_the_next_worker_is_not_robbed_by_the_one_that_lost_the_lease(tmp_path: Path) -> None:
    context = make_context(tmp_path, "echo ready; until [ -e go ]; do sleep 0.05; done; echo done")
    first, second = FakeHost(), FakeHost()
    lost: list[BaseException] = []

    def follow_first() -> None:
        try:
            COMMAND.execute(context, first)
        except LeaseLost as error:
            lost.append(error)

    thread = threading.Thread(target=follow_first)
    thread.start()
    until(first.output)
    taker = threading.Thread(target=lambda: outcomes.append(COMMAND.execute(taken_up(context, first), second)))
    outcomes: list[Outcome] = []
    taker.start()
    until(second.output)
    first.lost = True
    thread.join(30)
    (context.workspace / "go").touch()
    taker.join(30)

    assert len(lost) == 1
    assert [outcome.kind for outcome in outcomes] == ["succeeded"]


def test_a_command_that_nobody_took_over_does_not_go_on_after_its_lease(tmp_path: Path) -> None:
    host = FakeHost(on_log=lambda host: setattr(host, "lost", True))
    context = make_context(tmp_path, "echo ready; sleep 100", limits=QUICK)

    with pytest.raises(LeaseLost):
        COMMAND.execute(context, host)

    end = until(lambda: Spool(context.spool).read_exit(context.token))
    assert end.reason == "lease_lost"
    assert COMMAND.execute(taken_up(context, host), FakeHost()).kind == "interrupted"


# taking up again


def taken_up(context: Any, host: FakeHost) -> Any:
    return type(context)(**{**vars(context), "handle": host.handles[-1] if host.handles else {}})


def start_elsewhere(folder: Path, line: str) -> subprocess.Popen[bytes]:
    """Another process that executes the step and waits for its end."""
    script = f"""
import sys; sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from orchestration.executors import executor_for
from tests.orchestration.fakes import FakeHost, make_context
executor_for("command").execute(make_context(Path({str(folder)!r}), {line!r}), FakeHost())
"""
    return subprocess.Popen([sys.executable, "-c", script], start_new_session=True)


def test_a_restarted_worker_follows_the_command_that_went_on(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    server = start_elsewhere(tmp_path, "echo one; until [ -e go ]; do sleep 0.05; done; echo two; exit 6")
    spool = Spool(context.spool)
    until(lambda: list(spool.frames(0)))
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()

    host = FakeHost(on_log=lambda _: (context.workspace / "go").touch())
    outcome = COMMAND.execute(taken_up(context, host), host)

    assert (outcome.kind, outcome.exit_code) == ("failed", 6)
    assert host.output() == b"one\ntwo\n"


def test_a_restarted_worker_adopts_the_end_and_reads_on_from_what_was_stored(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    first = FakeHost()
    COMMAND.execute(make_context(tmp_path, "echo one; echo two >&2; echo name=value >> $CCDASH_OUTPUT"), first)
    stored = first.pieces[0][2]

    host = FakeHost(offset=stored)
    outcome = COMMAND.execute(taken_up(context, first), host)

    assert outcome.kind == "succeeded"
    assert outcome.outputs == {"name": "value"}
    assert [data for _, data, _ in host.pieces] == [b"two\n"]


def test_an_attempt_that_nobody_began_is_proven_so_and_stays_so(tmp_path: Path) -> None:
    context = make_context(tmp_path, f"touch {tmp_path}/ran")

    outcome = COMMAND.execute(taken_up(context, FakeHost()), FakeHost())
    late = spawner.launch(
        CommandSpec(["/bin/bash", "-c", f"touch {tmp_path}/ran"], {"PATH": PATH}, str(tmp_path), "", 7), context.spool
    )

    assert outcome.kind == "never_started"
    until(lambda: not Path(f"/proc/{late.pid}").exists())
    assert not (tmp_path / "ran").exists()
    assert COMMAND.execute(taken_up(context, FakeHost()), FakeHost()).kind == "never_started"


def test_a_command_whose_supervisor_was_killed_is_interrupted_and_its_leftovers_end(tmp_path: Path) -> None:
    mark = f"5{os.getpid()}2"
    context = make_context(tmp_path)
    server = start_elsewhere(tmp_path, f"setsid sleep {mark} & echo ready; sleep {mark}")
    spool = Spool(context.spool)
    until(lambda: list(spool.frames(0)))
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    os.kill((spool.claimed() or {})["pid"], signal.SIGKILL)

    outcome = COMMAND.execute(taken_up(context, FakeHost()), FakeHost())

    assert (outcome.kind, outcome.effect_unknown) == ("interrupted", True)
    assert living(f"sleep {mark}") == []


def test_an_end_of_another_token_is_nobodys(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    spool = Spool(context.spool)
    spool.prepare()
    spool.claim("run", pid=1, token=7, start_time="never")
    spool.write_exit(Exit(token=6, exit_code=0))

    assert COMMAND.execute(taken_up(context, FakeHost()), FakeHost()).kind == "interrupted"


def test_a_command_of_another_machine_can_not_be_judged_from_here(tmp_path: Path) -> None:
    host = FakeHost()
    host.handles.append({"host": "elsewhere", "pid": 1})
    context = make_context(tmp_path)
    spool = Spool(context.spool)
    spool.prepare()
    spool.claim("run", pid=os.getpid(), token=7)

    outcome = COMMAND.execute(taken_up(context, host), FakeHost())

    assert outcome.kind == "interrupted"
    assert "elsewhere" in outcome.error


def test_large_output_reaches_the_host_in_order_and_in_small_pieces(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    spool = Spool(context.spool)
    spool.prepare()
    spool.claim("run", pid=1, token=7, start_time="never")
    log = OutputLog(spool.output, 10**7)
    for number in range(20_000):
        log.write(STDOUT, f"line {number}\n".encode())
    spool.write_exit(Exit(token=7, exit_code=0, output_bytes=log.size))
    host = FakeHost()

    COMMAND.execute(taken_up(context, host), host)

    assert host.output() == b"".join(f"line {number}\n".encode() for number in range(20_000))
    assert max(len(data) for _, data, _ in host.pieces) <= 65_536
    assert host.offset == log.size


# what it cannot start


@pytest.mark.parametrize("cwd", ["missing", "../outside", "/etc", "link"])
def test_a_folder_outside_the_workspace_is_refused(tmp_path: Path, cwd: str) -> None:
    (tmp_path / "outside").mkdir()
    context = make_context(tmp_path, f"touch {tmp_path}/ran", definition={"cwd": cwd})
    (context.workspace / "link").symlink_to(tmp_path / "outside")

    outcome = COMMAND.execute(context, FakeHost())

    assert (outcome.kind, outcome.reason) == ("failed", "workspace")
    assert not (tmp_path / "ran").exists()


def test_a_folder_inside_the_workspace_is_entered(tmp_path: Path) -> None:
    context = make_context(tmp_path, "pwd", definition={"cwd": "a/../b"})
    (context.workspace / "b").mkdir()
    (context.workspace / "a").mkdir()
    host = FakeHost()

    COMMAND.execute(context, host)

    assert host.output().decode().strip() == str(context.workspace / "b")


def test_a_machine_without_bash_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.executors.environment.fixed_path", lambda: str(tmp_path))

    outcome, _ = execute(tmp_path, "true")

    assert (outcome.kind, outcome.reason) == ("failed", "start")
    assert "bash" in outcome.error


def test_a_spool_that_can_not_be_written_is_a_failure_of_storage(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")

    outcome, _ = execute(tmp_path, f"touch {tmp_path}/ran")

    assert (outcome.kind, outcome.reason) == ("failed", "storage")
    assert not (tmp_path / "ran").exists()


# what it sees


def test_the_command_sees_its_own_facts_and_none_of_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SECRET_KEY", "not for you")

    _, host = execute(tmp_path, "env", env={"CI": "1", "CCDASH_TOKEN": "99"}, secrets={"KEY": "s3cret"})

    seen = dict(line.split("=", 1) for line in host.output().decode().splitlines())
    assert (seen["CI"], seen["KEY"], seen["CCDASH_TOKEN"], seen["CCDASH_STEP_KEY"]) == ("1", "s3cret", "7", "build")
    assert (seen["LANG"], seen["GIT_TERMINAL_PROMPT"]) == ("C.UTF-8", "0")
    assert "DJANGO_SECRET_KEY" not in seen


def test_secrets_are_nowhere_on_the_disk(tmp_path: Path) -> None:
    execute(tmp_path, "true", secrets={"KEY": "correct-horse-battery"})

    held = [path for path in tmp_path.rglob("*") if path.is_file() and b"correct-horse" in path.read_bytes()]
    assert held == []


def test_home_and_temporary_folder_are_its_own(tmp_path: Path) -> None:
    outcome, _ = execute(tmp_path, 'touch "$HOME/a" "$TMPDIR/b" && [ "$HOME" != ~root ]')

    assert outcome.kind == "succeeded"


# the sandbox


@pytest.mark.sandbox
def test_in_the_sandbox_only_its_own_places_can_be_written(tmp_path: Path) -> None:
    hidden = tmp_path / "data"
    hidden.mkdir()
    (hidden / "db.sqlite3").touch()
    git = tmp_path / "repository.git"
    (git / "hooks").mkdir(parents=True)
    (git / "config").touch()
    line = f"""
echo a=1 > $CCDASH_OUTPUT && touch in_workspace $HOME/x $TMPDIR/x $CCDASH_ARTIFACTS/x || exit 1
touch {git}/object {git}/config {git}/hooks/post-commit 2>/dev/null && exit 2
touch /etc/x {tmp_path}/x {tmp_path}/spool/exit.json 2>/dev/null && exit 2
ls {hidden}/db.sqlite3 2>/dev/null && exit 3
[ "$(ls /proc | grep -c '^[0-9]')" -lt 8 ] || exit 4
(exec 3<>/dev/tcp/127.0.0.1/9) 2>&1 | grep -q refused && grep -q : /proc/net/route && exit 5
exit 0
"""

    outcome, host = execute(tmp_path, line, sandbox="bubblewrap", hidden_paths=(hidden,), git_folder=git)

    assert (outcome.kind, outcome.outputs) == ("succeeded", {"a": "1"}), host.pieces
    assert not (tmp_path / "x").exists()


@pytest.mark.sandbox
def test_in_the_sandbox_a_command_has_its_grace_too(tmp_path: Path) -> None:
    line = "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    host = FakeHost(on_log=cancel)

    outcome = COMMAND.execute(make_context(tmp_path, line, sandbox="bubblewrap"), host)

    assert (outcome.kind, outcome.group_empty) == ("canceled", True)
    assert host.output() == b"ready\ntidy\n"


def test_a_sandbox_that_is_not_there_means_that_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.executors.sandbox.detect", lambda: "")

    outcome, _ = execute(tmp_path, f"touch {tmp_path}/ran", sandbox="bubblewrap")

    assert (outcome.kind, outcome.reason) == ("failed", "sandbox")
    assert not (tmp_path / "ran").exists()
