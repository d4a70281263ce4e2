"""A unified diff as files and lines for `_diff.html`. What is too long is cut, and the page says so."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings

from orchestration import hidden, worktree
from orchestration.artifacts import ArtifactMissing, ArtifactStore
from orchestration.models import Artifact, ExecutionRun
from orchestration.workspace import WorkspaceError
from workbench.untrusted import plainly

Data = dict[str, Any]
READ = 400_000
LINES = 3000
LONGEST = 500
OPEN_FILES = 5
HEADERS = ("--- ", "+++ ", "index ", "new file", "deleted file", "old mode", "new mode", "similarity", "rename ")


def diff_of(artifact: Artifact | None, download_url: str) -> Data | None:
    if artifact is None:
        return None
    try:
        data = ArtifactStore(Path(settings.ARTIFACTS_DIR)).read(artifact.sha256, READ)
    except (ArtifactMissing, OSError):
        return None
    files, cut = parse(hidden.shown(artifact.run.project, whole_lines(data, artifact.size)))
    told = artifact.lineage
    return {
        "files": files,
        "additions": told.get("insertions", sum(file["additions"] for file in files)),
        "deletions": told.get("deletions", sum(file["deletions"] for file in files)),
        "cut": cut or artifact.size > READ or bool(told.get("truncated")),
        "download_url": download_url,
    }


def so_far(attempt: ExecutionRun | None) -> Data | None:
    """What a step that still works has changed until now; None where nobody can tell, or it is over."""
    path = Path(settings.WORKTREES_DIR) / str(attempt.run_id) if attempt else None
    if attempt is None or path is None or attempt.finished_at or not worktree.store_of(path).is_dir():
        return None
    try:
        tree = worktree.open_run_worktree(path)
        found = worktree.diff(tree, attempt.tree_before or attempt.run.base_commit, worktree.peek(tree).tree)
    except (WorkspaceError, OSError):
        return None
    files, cut = parse(hidden.shown(attempt.run.project, found.patch.decode("utf-8", "replace")))
    counts = {"additions": found.insertions, "deletions": found.deletions}
    return {"files": files, **counts, "cut": cut or found.truncated, "download_url": "", "so_far": True}


def whole_lines(data: bytes, size: int) -> str:
    """Where a file is cut, its last line goes, too: half a secret is not recognised."""
    return (data.rpartition(b"\n")[0] if size > len(data) else data).decode("utf-8", "replace")


def parse(text: str) -> tuple[list[Data], bool]:
    files: list[Data] = []
    lines = text.split("\n")
    for line in lines[:LINES]:
        if line.startswith("diff --git "):
            files.append(_file(line, len(files)))
        elif files:
            _add(files[-1], line)
    return [_counted(file) for file in files], len(lines) > LINES


def _file(line: str, before: int) -> Data:
    path = line.rpartition(" b/")[2] or line.removeprefix("diff --git ")
    return {"path": plainly(path.strip('"')), "lines": [], "open": before < OPEN_FILES}


def _add(file: Data, line: str) -> None:
    if not file["lines"] and line.startswith(HEADERS):
        return
    if not file["lines"] and not line.startswith(("@@", "Binary")):
        return
    file["lines"].append({"kind": _kind(line), "text": plainly(line[:LONGEST])})


def _kind(line: str) -> str:
    return {"+": "added", "-": "removed", "@": "hunk"}.get(line[:1], "same")


def _counted(file: Data) -> Data:
    lines: Iterable[Data] = file["lines"]
    kinds = [line["kind"] for line in lines]
    return {**file, "additions": kinds.count("added"), "deletions": kinds.count("removed")}
