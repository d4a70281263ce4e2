"""The bubblewrap profile: what a command can write, see and reach when it runs inside one.

Everything is read-only except what is listed; the server's data, the home of its user and the
network are not there at all. Whether it works on this machine is tried once, not assumed.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

# What programs are often installed into; the rest of a home is nobody's business.
TOOLCHAINS = (".pyenv", ".nvm", ".cargo/bin", ".rustup", ".local/bin", ".local/lib", ".rbenv", ".asdf", ".volta", "go")
BASE = (
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--die-with-parent",
    "--cap-drop",
    "ALL",
    "--ro-bind",
    "/",
    "/",
)
FRESH = ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run")  # noqa: S108 - a new one
PROTECTED_IN_GIT = ("config", "config.worktree", "hooks", "info")


@cache
def detect() -> str:
    """The path of a bubblewrap that works here, or an empty string."""
    program = shutil.which("bwrap")
    if program is None:
        return ""
    try:
        tried = subprocess.run(
            [program, *BASE, "--unshare-net", *FRESH, "true"], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return program if tried.returncode == 0 else ""


def wrap(
    argv: list[str],
    *,
    cwd: Path,
    writable: Iterable[Path],
    hidden: Iterable[Path] = (),
    git_folder: Path | None = None,
    network: bool = False,
) -> list[str]:
    """The same command inside the sandbox. Order decides: hidden first, then what is opened again."""
    words = [detect(), *BASE, *([] if network else ["--unshare-net"]), *FRESH, *_without_home()]
    for path in hidden:
        words += ["--tmpfs", str(path)]
    for path in writable:
        words += ["--bind", str(path), str(path)]
    words += _guarded_git(git_folder)
    return [*words, "--chdir", str(cwd), "--", *argv]


def _without_home() -> list[str]:
    home = Path.home()
    if home == Path("/") or not home.is_dir():
        return []
    words = ["--tmpfs", str(home)]
    for path in (home / name for name in TOOLCHAINS):
        words += ["--ro-bind-try", str(path), str(path)]
    return words


def _guarded_git(folder: Path | None) -> list[str]:
    """History can be written; what git would run later, outside, can not."""
    if folder is None:
        return []
    words = ["--bind", str(folder), str(folder)]
    for name in PROTECTED_IN_GIT:
        words += ["--ro-bind-try", str(folder / name), str(folder / name)]
    return words
