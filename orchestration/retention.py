"""Removes the worktrees of runs that have long been over. The run's branch stays, and so does all that isn't on it.

Called by a worker every now and then, and by a command. Git and files are touched outside any transaction; the audit
record is written first: a removal without one does not happen.
"""

from __future__ import annotations

import fcntl
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from orchestration import worktree
from orchestration.engine.door import database_now
from orchestration.engine.locks import write_transaction
from orchestration.models import WorkflowRun
from orchestration.models.run import FINAL_RUN_STATES
from orchestration.workspace import WorkspaceError
from policy import audit
from policy.actors import Actor

logger = logging.getLogger(__name__)
LOCK = ".retention.lock"


@dataclass(frozen=True)
class Old:
    """The worktree of a run that is over. `kept` says why it must not go."""

    run: WorkflowRun
    path: Path
    kept: str = ""

    @property
    def name(self) -> str:
        return f"{self.run.project.slug}#{self.run.number}"


def remove_due() -> int:
    """What is older than the setting says. Answers how many were removed; none where it says for ever."""
    if not settings.WORKTREE_DAYS:
        return 0
    return sum(remove(old, by=Actor.system("worker")) for old in find(days=settings.WORKTREE_DAYS))


def over(*, days: int) -> Iterator[Old]:
    """By what lies on the disk, so that no run is looked at twice. No git: quick."""
    names = [found for path in _folders() if (found := _uuid(path.name)) is not None]
    before = database_now() - timedelta(days=days)
    for start in range(0, len(names), 500):
        runs = WorkflowRun.objects.filter(pk__in=names[start : start + 500], state__in=FINAL_RUN_STATES)
        for run in runs.filter(finished_at__lte=before).select_related("project").order_by("finished_at"):
            yield Old(run, Path(settings.WORKTREES_DIR) / str(run.pk))


def find(*, days: int) -> Iterator[Old]:
    """The same, each with a look at whether its files are all on the run's branch."""
    for old in over(days=days):
        yield Old(old.run, old.path, _why_kept(old))


def remove(old: Old, *, by: Actor) -> bool:
    if old.kept:
        return False
    with _alone() as is_ours:
        # Looked at again: between a listing and this somebody may have begun to work there.
        if not is_ours or not old.path.exists() or _why_kept(old):
            return False
        with write_transaction():
            audit.append(
                "worktree.removed",
                actor=by,
                project=old.run.project.slug,
                subject=f"worktree:{old.run.pk}",
                reason="The run has long been over.",
                before={"branch": old.run.branch, "commit": old.run.workspace_commit, "number": old.run.number},
            )
        worktree.remove_worktree(worktree.open_run_worktree(old.path))
    logger.info("removed the worktree of %s; its branch %s stays", old.name, old.run.branch)
    return True


def _why_kept(old: Old) -> str:
    try:
        found = worktree.peek(worktree.open_run_worktree(old.path))
    except WorkspaceError as error:
        return f"It can't be looked at: {error}"
    if found.skipped:
        return f"It holds what no branch can: {', '.join(found.skipped[:3])}"
    if found.tree != old.run.workspace_tree or found.changed:
        return "It holds changes that are not on the run's branch."
    return ""


def _folders() -> list[Path]:
    try:
        return [path for path in Path(settings.WORKTREES_DIR).iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []


def _uuid(name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(name)
    except ValueError:
        return None


@contextmanager
def _alone() -> Iterator[bool]:
    """Of several workers on one file system one removes; the others leave it to it."""
    descriptor = os.open(Path(settings.WORKTREES_DIR) / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)
