"""Everything a command sees of the world: built from nothing, never from the server's own environment."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestration import git
from orchestration.executors.base import StepContext

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAC_PATH = f"/opt/homebrew/bin:{PATH}"


def fixed_path() -> str:
    return MAC_PATH if sys.platform == "darwin" else PATH


def build(context: StepContext, outputs_file: Path) -> dict[str, str]:
    """Defaults, then the plan's and the step's own, then secrets; the CCDASH_ names are not for the taking."""
    return {
        "PATH": fixed_path(),
        "HOME": str(context.spool / "home"),
        "TMPDIR": str(context.spool / "tmp"),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        **git.pins(),
        **context.env,
        **context.secrets,
        **facts(context),
        "CCDASH_OUTPUT": str(outputs_file),
    }


def facts(context: StepContext) -> dict[str, str]:
    return {
        "CCDASH_PROJECT": context.project,
        "CCDASH_FEATURE": context.feature,
        "CCDASH_RUN_ID": context.run_id,
        "CCDASH_RUN_NUMBER": str(context.run_number),
        "CCDASH_STEP_KEY": context.step_key,
        "CCDASH_ATTEMPT": str(context.attempt),
        "CCDASH_TOKEN": str(context.token),
        "CCDASH_WORKSPACE": str(context.workspace),
        "CCDASH_ARTIFACTS": str(context.artifacts_dir),
    }


def writable_folders(env: dict[str, str], context: StepContext) -> list[Path]:
    """Made before the start, and what a sandbox lets the command write besides its workspace."""
    folders = [context.artifacts_dir, Path(env["HOME"]), Path(env["TMPDIR"])]
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folders
