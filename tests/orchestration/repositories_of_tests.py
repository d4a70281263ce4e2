"""Git repositories for tests, friendly and hostile."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always")


def git(folder: Path, *arguments: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    made = subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


def make_repository(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for name, text in (files or {"readme": "hello\n"}).items():
        (folder / f"{name}.txt").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "First")
    return folder


def set_traps(repository: Path, pit: Path) -> None:
    """Everything by which a repository can have its own programs run; each would leave a file in the pit."""
    pit.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-commit", "post-commit"):
        hook = repository / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {pit}/hook-{name}\n")
        hook.chmod(0o755)
    for key, value in {
        "filter.trap.clean": f"touch {pit}/clean; cat",
        "filter.trap.smudge": f"touch {pit}/smudge; cat",
        "filter.trap.process": f"touch {pit}/process; cat",
        "filter.trap.required": "true",
        "diff.trap.textconv": f"touch {pit}/textconv; cat",
        "diff.trap.command": f"touch {pit}/driver",
        "diff.external": f"touch {pit}/external",
        "core.fsmonitor": f"touch {pit}/fsmonitor; false",
        "core.sshCommand": f"touch {pit}/ssh",
        "gpg.program": f"touch {pit}/gpg",
        "commit.gpgSign": "true",
        "core.pager": f"touch {pit}/pager",
        "alias.add": f"!touch {pit}/alias",
    }.items():
        git(repository, "config", key, value)
