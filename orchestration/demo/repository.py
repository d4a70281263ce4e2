"""The demo's repository: a small real git repository, with a remote beside it to push to.

Called by make_demo. Writes below the folder it is given and nowhere else; what stands there already is left alone.
"""

import os
import subprocess
from pathlib import Path

TEMPLATE = Path(__file__).parent / "template"
AUTHOR = "Tidewater"
EMAIL = "tidewater@example.invalid"
_FIRST = ("README.md", "bin", "src", "docs/pages", "data/harbours.csv", "data/tides.csv")
_HISTORY = (
    ("2026-02-01T09:00:00Z", "Tide tables of six harbours", _FIRST),
    ("2026-02-10T09:00:00Z", "Plan storm warnings", ("docs/project_plans",)),
    ("2026-02-16T09:00:00Z", "Add storm warnings as data", (".",)),
)


class DemoError(RuntimeError):
    """The demo's repository can't be made."""


def build_repository(folder: Path) -> Path:
    """The repository's folder; made on the first call, and the same one on every call after that."""
    repository, remote = folder / "repository", folder / "remote.git"
    if (repository / ".git").is_dir():
        return repository
    if repository.exists():
        raise DemoError(f"{repository} is in the way: it is no git repository. Move it and start again.")
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".repository-{os.getpid()}"
    _write_files(draft)
    _git(draft, "init", "--quiet", "--initial-branch=main")
    for name, value in (("user.name", AUTHOR), ("user.email", EMAIL), ("commit.gpgsign", "false")):
        _git(draft, "config", name, value)
    for at, message, paths in _HISTORY:
        _git(draft, "add", "--", *paths)
        _git(draft, "commit", "--quiet", "--message", message, at=at)
    _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    _git(draft, "remote", "add", "origin", str(remote))
    _git(draft, "push", "--quiet", "origin", "main")
    # Last: a start that was cut off leaves no half repository behind.
    draft.rename(repository)
    return repository


def _write_files(folder: Path) -> None:
    for source in sorted(TEMPLATE.rglob("*")):
        target = folder / source.relative_to(TEMPLATE)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        target.chmod(0o755 if target.parent.name == "bin" else 0o644)


def _git(folder: Path, *arguments: str, at: str = "") -> None:
    """Git with nobody's settings but its own, so that the demo is the same on every machine."""
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    if at:
        env |= {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DemoError(f"git could not be run: {error}.") from error
    if done.returncode:
        raise DemoError(f"git {arguments[0]} failed: {done.stderr.strip()[:300]}")
