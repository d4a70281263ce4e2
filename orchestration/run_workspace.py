"""The folder that a run works in: made at its first step, looked at before each start, restored when people ask.

The worker calls it, never inside a transaction; what it did and saw is brought to the engine.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from django.conf import settings

from orchestration import provider_settings, worktree
from orchestration.engine.change import Change
from orchestration.engine.door import change_run
from orchestration.engine.drift import Look, LookFirst
from orchestration.engine.starting import Assignment
from orchestration.models import WorkflowRun
from orchestration.storable import storable
from orchestration.workspace import WorkspaceError
from policy import secrets
from policy.actors import Actor
from policy.models import Project
from policy.redaction import redact_data

FILES_TOLD = 20
PATCH_TOLD = 12_000
_making = threading.Lock()


def prepare(assignment: Assignment) -> Path:
    """The run's folder, the same one ever after. Raises WorkspaceError."""
    if assignment.workspace_kind == "folder":
        return _identical(assignment, Path(assignment.workspace_path))
    path = Path(assignment.workspace_path or settings.WORKTREES_DIR / str(assignment.run_id))
    with _making:
        if not assignment.workspace_path:
            _make_once(assignment, path)
        if assignment.restore and assignment.handle is None:
            _restore(assignment, path)
    if not path.is_dir():
        raise WorkspaceError("The run's worktree is not there any more; it was removed from outside.")
    return path


def look(asked: LookFirst) -> Look:
    """What stands in the run's worktree now, and what of it is not as it was left."""
    path = Path(asked.path)
    try:
        tree = worktree.open_run_worktree(path)
        found = worktree.snapshot(tree, message="Changed from outside")
        changed = _difference(tree, asked, found.tree)
    except WorkspaceError as error:
        return Look("", sequence_no=asked.sequence_no, problem=str(error))
    return Look(found.tree, found.commit, found.head, asked.sequence_no, changed=changed)


def _difference(tree: worktree.RunWorktree, asked: LookFirst, found: str) -> dict[str, Any]:
    if found == asked.tree:
        return {}
    files, count = worktree.changes(tree, asked.tree, found, limit=FILES_TOLD)
    change = worktree.diff(tree, asked.tree, found)
    patch = change.patch[:PATCH_TOLD].decode(errors="replace")
    is_cut = change.truncated or len(change.patch) > PATCH_TOLD
    told = {
        "files": files,
        "count": count,
        "insertions": change.insertions,
        "deletions": change.deletions,
        "patch": f"{patch}\n[cut]" if is_cut else patch,
    }
    project = Project.objects.get(pk=asked.project_id)
    hidden = {**secrets.reveal_all(project), **provider_settings.keys_of(project)}
    return dict(redact_data(storable(told), hidden))


def _make_once(assignment: Assignment, path: Path) -> None:
    """First steps may begin side by side in several processes. Until the run names its folder, nobody has worked in it:
    what a process that died has left half made goes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with worktree.locked(path.parent / ".making.lock"):
        if WorkflowRun.objects.filter(pk=assignment.run_id, workspace_path="").exists():
            worktree.clear_away(path)
            _make(assignment, path)


def _make(assignment: Assignment, path: Path) -> None:
    branch = f"ccdash/{assignment.feature}-{assignment.run_number}"
    _create(assignment, path, commit=assignment.base_commit, branch=branch)

    def body(change: Change) -> None:
        change.set_run(workspace_path=str(path), branch=branch, workspace_head=assignment.base_commit)
        change.event("run.workspace_ready", "", {"branch": branch, "base_commit": assignment.base_commit})

    change_run(assignment.run_id, Actor.system("worker"), body)


def _create(assignment: Assignment, path: Path, *, commit: str, branch: str) -> None:
    project = Project.objects.get(pk=assignment.project_id)
    _identical(assignment, Path(project.path))
    worktree.create_run_worktree(Path(project.path), path, base_commit=commit, branch=branch)


def _restore(assignment: Assignment, path: Path) -> None:
    """Once, whichever of several steps comes first."""
    if not WorkflowRun.objects.filter(pk=assignment.run_id, restore_pending=True).exists():
        return
    commit, head = assignment.workspace_commit, assignment.workspace_head
    if not worktree.is_whole(path):
        worktree.clear_away(path)
        _create(assignment, path, commit=commit, branch=assignment.branch)
    found = worktree.restore(worktree.open_run_worktree(path), commit, head=head)

    def body(change: Change) -> None:
        change.set_run(restore_pending=False, workspace_head=found.head)
        change.event("run.workspace_restored", "", {"commit": commit})

    change_run(assignment.run_id, Actor.system("worker"), body)


def _identical(assignment: Assignment, path: Path) -> Path:
    """The registered folder itself, not another that took its place since."""
    try:
        found = path.stat()
    except OSError:
        raise WorkspaceError(f"The project's folder {str(path)!r} is not there any more.") from None
    if assignment.folder is not None and (found.st_dev, found.st_ino) != assignment.folder:
        raise WorkspaceError("Another folder stands where the project's was; an admin has to register it again.")
    return path
