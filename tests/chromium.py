"""Finds a Chromium for the browser tests, and gets one where the machine allows it."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers import Unavailable, install_with_apt

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str:
    """The path of a Chromium: the system's, else Playwright's own, else one installed now."""
    found = _in_path() or _playwrights() or _installed()
    if not found:
        raise Unavailable("There is no Chromium here: run `apt-get install chromium` or `playwright install chromium`.")
    return found


def _in_path() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def _playwrights() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _installed() -> str | None:
    if install_with_apt("chromium"):
        return _in_path()
    print("Installing Playwright's Chromium", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    return _playwrights()
