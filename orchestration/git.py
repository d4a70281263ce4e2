"""Git, called so that nothing a repository brings is run: pinned configuration, no prompts, time limits.

`pins` is what a step's own commands get, too. What looks at the content of files goes through a git
folder of ours (see `worktree`), because filters can't be switched off by any one setting.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.workspace import WorkspaceError

AUTHOR, MAIL = "CCDash Workbench", "ccdash@localhost"
TIMEOUT_SECONDS = 120.0
OUTPUT_BYTES = 64 * 1024 * 1024
PINNED = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "core.editor": "true",
    "credential.helper": "",
    "protocol.ext.allow": "never",
    "protocol.file.allow": "user",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "safe.directory": "*",
    "user.name": AUTHOR,
    "user.email": MAIL,
}


class GitError(WorkspaceError):
    """Git refused, or could not be run."""


@dataclass(frozen=True)
class Answer:
    code: int
    out: bytes
    error: str
    cut: bool = False

    @property
    def text(self) -> str:
        return self.out.decode(errors="surrogateescape").strip()


def pins(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment that overrules a repository's own configuration and leaves the machine's aside."""
    settings = {**PINNED, **(more or {})}
    pinned = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (name, value) in enumerate(settings.items()):
        pinned |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return pinned


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: bytes = b"", limit: int = OUTPUT_BYTES
) -> bytes:
    """What git printed; a refusal is a GitError with its own words."""
    answer = ask(*arguments, cwd=cwd, env=env, stdin=stdin, limit=limit)
    if answer.code != 0 and not answer.cut:
        words = answer.error.strip().splitlines()[-1:] or [f"exit code {answer.code}"]
        raise GitError(f"git {arguments[0]} failed: {words[0][:300]}")
    return answer.out


def ask(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: bytes = b"", limit: int = OUTPUT_BYTES
) -> Answer:
    process = _start(arguments, cwd, env)
    try:
        out, error = process.communicate(stdin, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as expired:
        raise GitError(f"git {arguments[0]} took longer than {TIMEOUT_SECONDS:g} seconds.") from expired
    finally:
        _end(process)
    return Answer(process.returncode, out[:limit], error.decode(errors="replace"), len(out) > limit)


def _start(arguments: tuple[str, ...], cwd: Path, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [_program(), "--no-optional-locks", "--no-pager", *arguments],
            cwd=cwd,
            env={**_environment(cwd), **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise GitError(f"Git can't be run in {str(cwd)!r}: {error.strerror}.") from error


def _environment(cwd: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        # A folder inside somebody else's repository is not that repository.
        "GIT_CEILING_DIRECTORIES": str(cwd.parent),
        # Nothing asks a remote unless it says so, and only by the protocol that it names. Older gits
        # know no lazy fetching to forbid; they have no protocol to do it by.
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ASKPASS": "true",
        **pins(),
    }


def _program() -> str:
    found = shutil.which("git")
    if found is None:
        raise GitError("There is no git on this machine.")
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
