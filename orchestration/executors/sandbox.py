"""The bubblewrap profile: what a command can write, see and reach when it runs inside one.

A small system is put together from nothing: programs and settings read-only, the workspace, and what guarded_git
lets through of the repository. Homes, other projects, the server's data and the network are not there at all.
Whether it works on this machine is tried, not assumed.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestration.executors import guarded_git
from orchestration.spool import ARGUMENTS, FILTER
from orchestration.system_calls import filter_program

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt"),
    *("/nix", "/gnu", "/snap", str(Path("/home", "linuxbrew", ".linuxbrew")), "/run/current-system"),
)
# What programs are often installed into; the rest of a home is nobody's business.
TOOLCHAINS = (
    *(".pyenv", ".nvm", ".cargo/bin", ".rustup", ".local/bin", ".local/lib", ".rbenv", ".asdf", ".volta", "go"),
    *(".local/share/uv", ".local/share/mise", ".local/share/pnpm", ".bun/bin", ".deno/bin", ".sdkman"),
)
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - the command's own
APART = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
KEPT_DOWN = ("--die-with-parent", "--cap-drop", "ALL")
SHARED_MEMORY = str(256 * 1024 * 1024)
TRY_AGAIN_SECONDS = 30.0


@dataclass(frozen=True)
class Ground:
    """Where one command works: all that it may write, and what else must be there or must not."""

    workspace: Path
    cwd: Path
    tmp: Path
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    git_folder: Path | None = None
    git_admin: Path | None = None
    network: bool = False


class Detection:
    """What was found is kept; what was not found is looked for again now and then: somebody may have installed it."""

    def __init__(self) -> None:
        self._found, self._until = "", 0.0

    def __call__(self) -> str:
        if not self._found and time.monotonic() >= self._until:
            self._found = _try()
            self._until = time.monotonic() + TRY_AGAIN_SECONDS
        return self._found


detect = Detection()
"""The path of a bubblewrap that works here, or an empty string."""


def _try() -> str:
    """As the supervisor will start it: without new privileges, so that one which needs them counts as none."""
    program = shutil.which("bwrap")
    if program is None:
        return ""
    setpriv = shutil.which("setpriv")
    before = [setpriv, "--no-new-privs"] if setpriv else []
    with tempfile.TemporaryFile() as arguments, tempfile.TemporaryFile() as calls:
        calls.write(filter_program())
        calls.seek(0)
        told = (arguments.fileno(), calls.fileno())
        words = [*before, program, *_told(*told), *_apart(program), *_system(), *_fresh(program), "--", "/bin/true"]
        return program if _runs(words, told) else ""


def _runs(words: list[str], told: tuple[int, int]) -> bool:
    try:
        tried = subprocess.run(words, capture_output=True, timeout=10, check=False, env={}, pass_fds=told)
    except (OSError, subprocess.SubprocessError):
        return False
    return tried.returncode == 0


def wrap(argv: list[str], ground: Ground, *, told: bool = True) -> list[str]:
    """The same command inside the sandbox. Order decides: hidden first, then what is opened again.

    `told`: its environment comes as arguments through a descriptor. Set around bubblewrap, LD_PRELOAD and its like
    would run out here.
    """
    program = detect()
    hidden = [path for path in (*_home(), *ground.hidden) if path.is_dir()]
    words = [program, *(_told(ARGUMENTS, FILTER) if told else []), *_apart(program, network=ground.network)]
    words += [*_system(), *_masked(), *_resolver(ground)]
    words += [*_fresh(program), *(word for name in TEMPORARY for word in ("--bind", str(ground.tmp), name))]
    words += [word for path in hidden for word in ("--tmpfs", str(path))]
    words += [*_toolchains(), *_opened(ground.workspace, *ground.writable), *guarded_git.words(ground)]
    words += [word for path in ("/proc", "/dev", *hidden, "/") for word in ("--remount-ro", str(path))]
    return [*words, "--chdir", str(ground.cwd), "--", *argv]


def _told(arguments: int, calls: int) -> list[str]:
    return ["--args", str(arguments), *(["--seccomp", str(calls)] if filter_program() else [])]


def _apart(program: str, *, network: bool = False) -> list[str]:
    alone = [] if network else ["--unshare-net"]
    deeper = ["--disable-userns"] if _knows(program, "--disable-userns") else []
    return [*APART, *deeper, *alone, *KEPT_DOWN]


def _system() -> Iterator[str]:
    for name in SYSTEM:
        if Path(name).is_symlink():
            yield from ("--symlink", str(Path(name).readlink()), name)
        else:
            yield from ("--ro-bind-try", name, name)


def _fresh(program: str) -> list[str]:
    """Read-only in the end, too: as root a command could otherwise set what the kernel runs, through /proc/sys."""
    size = ["--size", SHARED_MEMORY] if _knows(program, "--size") else []
    return ["--proc", "/proc", "--dev", "/dev", *size, "--tmpfs", "/dev/shm", "--dir", "/run"]  # noqa: S108 - a new one


def _masked() -> Iterator[str]:
    """Of the system's settings, what not everybody on this machine may read."""
    for folder, folders, names in os.walk("/etc"):
        closed = [name for name in folders if _is_private(folder, name, stat.S_IXOTH | stat.S_IROTH)]
        for name in closed:
            folders.remove(name)
            yield from ("--tmpfs", f"{folder}/{name}", "--remount-ro", f"{folder}/{name}")
        for name in names:
            if _is_private(folder, name, stat.S_IROTH):
                yield from ("--ro-bind", "/dev/null", f"{folder}/{name}")


def _is_private(folder: str, name: str, wanted: int) -> bool:
    try:
        found = os.lstat(f"{folder}/{name}")
    except OSError:
        return False
    return not stat.S_ISLNK(found.st_mode) and found.st_mode & wanted != wanted


def _resolver(ground: Ground) -> list[str]:
    """Names are looked up through a file that often lies where services write."""
    real = os.path.realpath("/etc/resolv.conf")
    return ["--ro-bind-try", real, real] if ground.network and not real.startswith("/etc/") else []


def _home() -> list[Path]:
    home = Path.home()
    return [] if home == Path("/") else [home]


def _toolchains() -> list[str]:
    paths = [str(home / name) for home in _home() for name in TOOLCHAINS]
    return [word for path in paths for word in ("--ro-bind-try", path, path)]


def _opened(*paths: Path) -> list[str]:
    return [word for path in paths for word in ("--bind", str(path), str(path))]


@cache
def _knows(program: str, option: str) -> bool:
    """Older ones lack some options; what they would add is a second wall, not the first."""
    try:
        said = subprocess.run([program, "--help"], capture_output=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return f" {option} ".encode() in said
