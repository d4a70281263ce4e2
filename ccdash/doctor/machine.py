"""What the machine gives: settings, folders, disk, git, sandbox."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.checks import ERROR, run_checks

from ccdash.data_folder import DATABASE_FILE, KEY_FILE
from ccdash.doctor.finding import Finding, fail, ok, warn
from orchestration.executors import sandbox as bubblewrap
from policy import secrets
from policy.audit import keys

LOW_BYTES, LEAST_BYTES = 2 * 1024**3, 200 * 1024**2
GIT_WANTED = (2, 31)  # the first that takes its configuration from the environment
PRIVATE = (KEY_FILE, DATABASE_FILE, secrets.OWN_FILE, keys.OWN_FILE)


def settings_agree() -> Iterator[Finding]:
    found = [message for message in run_checks() if not message.is_silenced()]
    for message in found:
        make = fail if message.level >= ERROR else warn
        yield make("settings", str(message.msg), str(message.hint or "Mend the settings that it names."))
    if not found:
        yield ok("settings", f"They agree; data in {settings.DATA_DIR}.")


def data_folder() -> Iterator[Finding]:
    folder = Path(settings.DATA_DIR)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield fail("data folder", f"{folder} can't be written.", "Give it to the account that runs the product.")
        return
    open_to_others = [path for path in (folder, *(folder / name for name in PRIVATE)) if _is_open(path)]
    for path in open_to_others:
        yield fail("data folder", f"{path} can be read by others.", f"chmod go-rwx {path}")
    if not open_to_others:
        yield ok("data folder", "It is writable, and private to this account.")


def disk() -> Iterator[Finding]:
    free = shutil.disk_usage(settings.DATA_DIR).free
    told = f"{free / 1024**3:.1f} GiB are free where the data lies."
    if free < LEAST_BYTES:
        yield fail("disk", told, "Make room: without it nothing can be recorded, so nothing may change.")
    elif free < LOW_BYTES:
        yield warn("disk", told, "Make room before it is needed.")
    else:
        yield ok("disk", told)


def git() -> Iterator[Finding]:
    try:
        text = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        yield fail("git", "git is not here.", "Install git; without it runs have no worktrees and no diffs.")
        return
    found = re.search(r"(\d+)\.(\d+)", text)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < GIT_WANTED:
        wanted = ".".join(map(str, GIT_WANTED))
        yield fail("git", f"{text.strip()} is too old.", f"Install {wanted} or newer.")
    else:
        yield ok("git", f"{text.strip()}.")


def sandbox() -> Iterator[Finding]:
    """What projects ask for beside is looked at with them."""
    works = bool(bubblewrap.detect())
    if settings.SANDBOX == "bubblewrap" and not works:
        mend = "Install bubblewrap and allow user namespaces, or set CCDASH_SANDBOX=none."
        yield fail("sandbox", "bubblewrap is asked for and does not work here: steps with code are refused.", mend)
    elif settings.SANDBOX == "bubblewrap":
        yield ok("sandbox", "Commands run inside bubblewrap.")
    elif works:
        yield warn("sandbox", "Commands run without a sandbox, and bubblewrap would work.", "CCDASH_SANDBOX=bubblewrap")
    else:
        yield warn("sandbox", "Commands run without a sandbox; bubblewrap does not work here.", "Install bubblewrap.")


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & 0o077)
