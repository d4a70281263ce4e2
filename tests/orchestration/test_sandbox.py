"""What a command can see, write and reach inside bubblewrap; and what of the server comes with it, in it or not."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.executors import executor_for
from orchestration.executors.base import ExecutionLimits, Outcome
from tests.orchestration.fakes import FakeHost, make_context
from tests.orchestration.processes_of_tests import living
from tests.orchestration.repositories_of_tests import git

pytestmark = pytest.mark.pure
COMMAND = executor_for("command")
sandboxed = pytest.mark.sandbox


def execute(folder: Path, line: str, **changes: Any) -> tuple[Outcome, str]:
    folder.mkdir(exist_ok=True)
    host = FakeHost()
    outcome = COMMAND.execute(make_context(folder, line, **{"sandbox": "bubblewrap", **changes}), host)
    return outcome, (host.output() + host.output("stderr")).decode()


# what is there


@sandboxed
def test_homes_other_projects_and_the_servers_data_are_not_there(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    for folder in (data, other):
        folder.mkdir()
        (folder / "private").write_text("not for you")

    homes = "/home/* /root/.ssh /root/.bash* /root/.config /srv/* /var/lib/*"
    line = f"ls -d {homes} 2>/dev/null; cat {data}/private {other}/private"
    outcome, said = execute(tmp_path, line, hidden_paths=(data,))

    assert outcome.kind == "failed"
    assert sorted(line.split(": ")[-1] for line in said.splitlines()) == ["No such file or directory"] * 2


@sandboxed
def test_of_the_systems_settings_only_what_everybody_may_read_is_there(tmp_path: Path) -> None:
    _, said = execute(tmp_path, "head -c 4 /etc/shadow; head -n 1 /etc/passwd")

    assert "Permission denied" in said
    assert "root:x:" in said


@sandboxed
def test_nothing_of_the_system_can_be_written_not_even_as_root(tmp_path: Path) -> None:
    places = "/ /usr /usr/bin /etc /opt /dev /run /proc/sys/kernel"
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    line = f"""
for place in {places}; do touch $place/x 2>/dev/null && echo wrote $place; done
[ -w /proc/sys/kernel/core_pattern ] && echo could set what the kernel runs
echo free > /tmp/mine && echo free > /var/tmp/mine
"""
    outcome, said = execute(tmp_path, line)

    assert (outcome.kind, said) == ("succeeded", "")
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    assert not Path("/tmp/mine").exists()


@sandboxed
def test_it_has_no_rights_and_can_get_none(tmp_path: Path) -> None:
    line = "grep -E 'CapEff|NoNewPrivs' /proc/self/status; unshare -Ur true; mount -t tmpfs none /tmp"
    outcome, said = execute(tmp_path, line)

    assert outcome.kind == "failed"
    assert [line.split() for line in said.splitlines()[:2]] == [["CapEff:", "0" * 16], ["NoNewPrivs:", "1"]]


CALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
calls = {"add_key": 248, "keyctl": 250, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425, "mount": 165}
for name, number in calls.items():
    libc.syscall(number, 0, 0, 0, 0, 0)
    print(name, errno.errorcode[ctypes.get_errno()])
print("getpid", libc.syscall(39) > 0)
"""


@sandboxed
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the calls are this machine's")
def test_calls_by_which_kernels_were_broken_open_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "calls.py").write_text(CALLS)

    _, said = execute(tmp_path, "python3 calls.py; grep Seccomp: /proc/self/status")

    answers = dict(line.split(maxsplit=1) for line in said.splitlines())
    assert answers.pop("io_uring_setup") == "ENOSYS"
    assert (answers.pop("getpid"), answers.pop("Seccomp:")) == ("True", "2")
    assert answers == dict.fromkeys(["add_key", "keyctl", "bpf", "userfaultfd", "mount"], "EPERM")


@sandboxed
def test_it_sees_its_own_processes_alone(tmp_path: Path) -> None:
    _, said = execute(
        tmp_path, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; cat /proc/1/environ", secrets={"KEY": "s3cret-value"}
    )

    assert "python" not in said
    assert "s3cret-value" not in said


# what it reaches


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@sandboxed
def test_the_network_is_not_there_unless_the_step_is_granted_it(tmp_path: Path, listener: int) -> None:
    line = f"exec 3<>/dev/tcp/127.0.0.1/{listener} && echo connected"

    alone, _ = execute(tmp_path / "a", line)
    granted, said = execute(tmp_path / "b", line, definition={"network": True})

    assert alone.kind == "failed"
    assert (granted.kind, said) == ("succeeded", "connected\n")


@sandboxed
def test_a_variable_that_decides_what_is_loaded_works_inside_alone(tmp_path: Path) -> None:
    """The loader writes this file in every program that it starts, the sandbox's own included."""
    env = {"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(tmp_path / "loaded")}

    execute(tmp_path, "true", env=env)
    assert list(tmp_path.glob("loaded.*")) == []

    execute(tmp_path / "bare", "/bin/true", env=env, sandbox="none")
    assert list(tmp_path.glob("loaded.*"))


# what of the server comes along


@pytest.mark.parametrize("boundary", ["none", pytest.param("bubblewrap", marks=sandboxed)])
def test_none_of_the_servers_descriptors_reach_a_command(tmp_path: Path, boundary: str, listener: int) -> None:
    with (tmp_path / "database").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        _, said = execute(tmp_path, "readlink /proc/self/fd/*", sandbox=boundary)

    kinds = [line.split(":")[0] for line in said.splitlines()]
    assert kinds[:3] == ["/dev/null", "pipe", "pipe"]
    assert len(kinds) == 3


@pytest.mark.parametrize("boundary", ["none", pytest.param("bubblewrap", marks=sandboxed)])
def test_limits_hold_and_no_core_is_left(tmp_path: Path, boundary: str) -> None:
    _, said = execute(tmp_path, "ulimit -c; ulimit -n; ulimit -u; ulimit -f", sandbox=boundary)

    core, files, processes, kilobytes = said.split()
    assert (core, files) == ("0", "4096")
    assert int(processes) <= 8192
    assert int(kilobytes) <= 64 * 1024 * 1024


@sandboxed
def test_nothing_outlives_the_sandbox_however_it_hides(tmp_path: Path) -> None:
    mark = f"6{os.getpid()}4"
    line = (
        f"setsid sleep {mark} & (setsid bash -c \"trap '' TERM HUP INT; sleep {mark} & wait; sleep {mark}\" &) ; "
        f"nohup sleep {mark} >/dev/null 2>&1 & disown -a; trap '' TERM; echo ready; sleep {mark}; sleep {mark}"
    )
    limits = ExecutionLimits(grace_seconds=0.3)

    outcome, said = execute(tmp_path, line, timeout_seconds=0.6, limits=limits)

    assert (outcome.reason, outcome.group_empty, said) == ("timeout", True, "ready\n")
    assert living(f"sleep {mark}") == []


# the repository


@pytest.fixture
def worktree(tmp_path: Path) -> dict[str, Path]:
    """A run's worktree as the product makes it: the repository's git folder and its own within."""
    repository, workspace = tmp_path / "repository", tmp_path / "workspace"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    (repository / "a.txt").write_text("a\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "First")
    git(repository, "worktree", "add", "-q", "--detach", str(workspace))
    common = repository / ".git"
    return {"git_folder": common, "git_admin": common / "worktrees" / "workspace"}


@sandboxed
def test_history_can_be_read_and_added_to(tmp_path: Path, worktree: dict[str, Path]) -> None:
    line = "git log --oneline | wc -l; echo b > b.txt; git add -A && git commit -qm Second && git log --format=%s"
    outcome, said = execute(tmp_path, line, **worktree)

    assert (outcome.kind, said) == ("succeeded", "1\nSecond\nFirst\n")


@sandboxed
def test_what_git_would_run_or_believe_later_can_not_be_changed(tmp_path: Path, worktree: dict[str, Path]) -> None:
    common, admin = worktree["git_folder"], worktree["git_admin"]
    (tmp_path / "workspace" / ".husky").mkdir()
    git(tmp_path / "repository", "config", "core.hooksPath", ".husky/_")
    (tmp_path / "workspace" / ".husky" / "_").mkdir()
    before = {
        path: path.read_bytes() for path in sorted(common.rglob("*")) if path.is_file() and admin not in path.parents
    }
    line = f"""
for path in {common}/config {common}/config.worktree {common}/hooks/pre-commit {common}/info/attributes \\
  {common}/objects/info/alternates {common}/packed-refs {common}/refs/heads/main {common}/worktrees/other \\
  {admin}/commondir {admin}/gitdir {admin}/config.worktree {admin}/new-objects/info/alternates \\
  .git .husky/pre-commit .husky/_/pre-commit; do
  (echo x >> $path) 2>/dev/null && echo wrote $path
  rm -f $path 2>/dev/null && [ ! -e $path ] && [ -e {common}/$path ] && echo removed $path
done
mv .git elsewhere 2>/dev/null && echo moved .git
mv {admin}/new-objects {admin}/moved 2>/dev/null && echo moved objects
git branch other 2>/dev/null && echo made a branch
git config --local alias.x '!true' 2>/dev/null && echo configured
find {common}/objects -type f -delete 2>/dev/null
exit 0
"""
    _, said = execute(tmp_path, line, **worktree)

    assert said == ""
    assert {path: path.read_bytes() for path in before} == before


@sandboxed
def test_a_nested_repository_of_a_plain_folder_is_read_only(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    nested = workspace / "vendored"
    nested.mkdir(parents=True)
    git(nested, "init", "-q")
    line = "cd vendored; git status --short; (echo x >> .git/config || mv .git x) 2>/dev/null && echo changed"

    _, said = execute(tmp_path, line)

    assert said == ""
