"""Brings home what sandboxed commands committed: their new objects lie apart, and HEAD tells which of them count.

What lies there was written by code that nobody trusts: links and borrowed folders could name other repositories'
objects. So it is read inside the sandbox, too, and only what git itself has packed and checked comes out.
"""

from __future__ import annotations

import logging
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Timer

from orchestration import git, worktree
from orchestration.executors import environment, sandbox
from orchestration.executors.base import StepContext
from orchestration.executors.guarded_git import OWN_OBJECTS
from orchestration.workspace import WorkspaceError

logger = logging.getLogger(__name__)
MAX_PACK_BYTES = 256 * 1024 * 1024
TIMEOUT_SECONDS = 60.0


def bring_home(context: StepContext) -> None:
    """Costs a look when nothing was added. What can't be brought stays where it is: its files are kept all the same."""
    common, admin = context.git_folder, context.git_admin
    if context.sandbox != "bubblewrap" or common is None or admin is None or not _has_news(admin / OWN_OBJECTS):
        return
    own = {"GIT_DIR": str(common)}
    known = git.run("for-each-ref", "--format=^%(objectname)", "refs/heads", cwd=common, env=own)
    wanted = _head(admin) + known
    # What is staged or was amended is no commit's, but without it the repository could not be tidied up.
    pack = _packed(context, wanted, "--indexed-objects", "--reflog") or _packed(context, wanted)
    put = git.ask("unpack-objects", "-q", "--strict", cwd=common, env=own, stdin=pack)
    if put.code != 0:
        logger.warning("what attempt %s committed could not be brought home: %s", context.attempt_id, put.error)


def _has_news(objects: Path) -> bool:
    try:
        return any(entry.name != "info" for entry in os.scandir(objects))
    except OSError:
        return False


def _head(admin: Path) -> bytes:
    try:
        said = worktree.head_text(admin)
    except WorkspaceError:
        return b""
    return said.encode() + b"\n" if worktree.COMMIT.fullmatch(said) else b""


def _packed(context: StepContext, wanted: bytes, *more: str) -> bytes:
    """Everything that no branch has yet; empty where that can't be said."""
    argv = ["git", "--no-pager", "pack-objects", "--revs", *more, "--stdout", "-q"]
    tmp = context.spool / "tmp"
    tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = context.workspace.resolve()
    ground = sandbox.Ground(
        workspace=root,
        cwd=root,
        tmp=tmp,
        hidden=context.hidden_paths,
        git_folder=context.git_folder,
        git_admin=context.git_admin,
    )
    return _run(sandbox.wrap(argv, ground, told=False), wanted)


def _run(argv: list[str], stdin: bytes) -> bytes:
    """No more of its output is held than may be kept, however much it says."""
    env = {"PATH": environment.fixed_path(), "HOME": "/nonexistent", **git.pins()}
    child = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, start_new_session=True
    )
    end = Timer(TIMEOUT_SECONDS, child.kill)
    end.start()
    try:
        out = _talk(child, stdin)
        if len(out) > MAX_PACK_BYTES:
            child.kill()
        return out if child.wait() == 0 else b""
    finally:
        end.cancel()


def _talk(child: subprocess.Popen[bytes], stdin: bytes) -> bytes:
    assert child.stdin is not None  # noqa: S101 - pipes were asked for
    assert child.stdout is not None  # noqa: S101
    with child.stdout, suppress(BrokenPipeError):
        with child.stdin:
            child.stdin.write(stdin)
        return child.stdout.read(MAX_PACK_BYTES + 1)
    return b""
