"""One attempt, start to outcome: workspace, context, executor, what was left, result.

Called by the pool's threads, never inside a transaction. Work returns an outcome; the engine turns it into a state.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError

from orchestration import leftovers, run_workspace, worktree
from orchestration.artifacts import ArtifactStore
from orchestration.engine import finishing, recovering, starting
from orchestration.engine.drift import LookFirst
from orchestration.engine.errors import Busy, LostAttempt
from orchestration.engine.finishing import Left, Overtaken
from orchestration.engine.starting import Assignment
from orchestration.executors import commits, executor_for
from orchestration.executors.base import MIB, ExecutionLimits, FoundArtifact, LeaseLost, Outcome, StepContext
from orchestration.hosting import AttemptHost
from orchestration.models import ExecutionRun, WorkflowRun
from orchestration.storable import plain_name
from orchestration.workspace import WorkspaceError
from orchestration.worktree import RunWorktree, Snapshot
from policy import secrets
from policy.errors import PolicyError
from policy.models import Project

logger = logging.getLogger(__name__)
T = TypeVar("T")
PATIENCE_SECONDS = 300.0
LOOKS = 3  # beyond these the run moves too fast; the sweeper comes back to the step


def begin(run_id: uuid.UUID, *, owner: str, step_run_id: int | None = None) -> Assignment | None:
    """Start the named ready step, or the first; before that, look at the run's files where the engine wants it."""
    asked = starting.start_step(run_id, owner=owner, step_run_id=step_run_id)
    for _ in range(LOOKS):
        if not isinstance(asked, LookFirst):
            return asked
        look = run_workspace.look(asked)
        asked = starting.start_step(run_id, owner=owner, step_run_id=step_run_id, look=look)
    return None if isinstance(asked, LookFirst) else asked


def perform(
    assignment: Assignment, host: AttemptHost, *, wants_next: Callable[[], bool] = lambda: True
) -> Assignment | None:
    """Do one attempt and answer the next one that this worker may go on with, if it wants one by then."""
    started = time.monotonic()
    outcome = _outcome(assignment, host)
    if outcome is None:
        return None
    outcome = host.complete(outcome)
    left, outcome = _gather(assignment, host, outcome)
    start_next = wants_next()
    try:
        following = _write_result(assignment, host, outcome, left, start_next=start_next)
    except LostAttempt:
        logger.info("attempt %s ended late and changes nothing", assignment.attempt_id)
        return None
    _clear_spools(assignment, outcome)
    logger.debug("attempt %s took %.3f s", assignment.attempt_id, time.monotonic() - started)
    return following


def _write_result(
    assignment: Assignment, host: AttemptHost, outcome: Outcome, left: Left, *, start_next: bool
) -> Assignment | None:
    """Steps that work side by side may end at the same moment: whoever was overtaken looks at the files again."""
    while True:
        finish = partial(finishing.finish_attempt, assignment, outcome, owner=host.owner, start_next=start_next)
        try:
            return _insist(partial(finish, left=left))
        except Overtaken:
            left = _look_again(assignment, left)


def _look_again(assignment: Assignment, left: Left) -> Left:
    try:
        return _with_change(assignment, left.artifacts)
    except (OSError, WorkspaceError):
        # What the files are now is asked before the next step starts.
        logger.warning("attempt %s: its files could not be looked at again", assignment.attempt_id, exc_info=True)
        return Left(artifacts=left.artifacts)


def _outcome(assignment: Assignment, host: AttemptHost) -> Outcome | None:
    """How the work ended; None where it is no longer ours to say."""
    try:
        context = _context(assignment, run_workspace.prepare(assignment))
        outcome = executor_for(assignment.definition["type"]).execute(context, host)
        host.finish_log()
        commits.bring_home(context)
        return outcome
    except LeaseLost:
        logger.info("attempt %s belongs to another worker now", assignment.attempt_id)
        return None
    except WorkspaceError as error:
        return Outcome("failed", reason="workspace", error=str(error))
    except PolicyError as error:
        return Outcome("failed", reason="policy", error=str(error))
    except (Busy, DatabaseError):
        # The work goes on under its supervisor, or from its checkpoint: it is taken up again, as after a restart.
        logger.warning("attempt %s: the database is away; it is let go", assignment.attempt_id, exc_info=True)
        _insist(lambda: recovering.let_go(assignment.attempt_id, owner=host.owner))
        return None
    except Exception:
        # An attempt is recorded here: whatever broke must become a state that people can see.
        logger.exception("attempt %s broke the worker", assignment.attempt_id)
        return Outcome("interrupted", error="The worker failed while it did this step; its log says more.")


def _context(assignment: Assignment, workspace: Path) -> StepContext:
    definition, spool = assignment.definition, _spool(assignment)
    tree = worktree.open_run_worktree(workspace) if assignment.workspace_kind == "worktree" else None
    if definition["type"] == "sdk":
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    return StepContext(
        project=assignment.project,
        feature=assignment.feature,
        run_id=str(assignment.run_id),
        run_number=assignment.run_number,
        step_key=assignment.step_key,
        step_name=definition.get("name", assignment.step_key),
        step_type=definition["type"],
        definition=definition,
        attempt_id=str(assignment.attempt_id),
        attempt=assignment.attempt,
        token=assignment.token,
        workspace=workspace,
        spool=spool,
        artifacts_dir=spool / "artifacts",
        env=definition.get("env", {}),
        secrets=_granted(assignment, definition),
        scope=assignment.scope,
        timeout_seconds=definition.get("timeout_seconds"),
        limits=ExecutionLimits(memory_bytes=settings.COMMAND_MEMORY_MB * MIB or None),
        sandbox=assignment.sandbox,
        git_folder=tree.common if tree else None,
        git_admin=tree.admin if tree else None,
        hidden_paths=(Path(settings.BASE_DIR), Path(settings.DATA_DIR)),
        handle=assignment.handle,
        checkpoint=assignment.checkpoint,
    )


def _granted(assignment: Assignment, definition: Mapping[str, Any]) -> Mapping[str, str]:
    names = definition.get("secrets") or ()
    return secrets.reveal(Project.objects.get(pk=assignment.project_id), names) if names else {}


def _spool(assignment: Assignment) -> Path:
    return Path(settings.SPOOL_DIR) / str(assignment.attempt_id)


def _clear_spools(assignment: Assignment, outcome: Outcome) -> None:
    """Folders of work that is over. An agent that may go on finds the commands that it began in the old ones."""
    if assignment.definition["type"] != "sdk":
        leftovers.throw_away(_spool(assignment))
    elif outcome.kind in ("succeeded", "canceled"):
        for attempt_id in ExecutionRun.objects.filter(step_run_id=assignment.step_run_id).values_list("id", flat=True):
            leftovers.throw_away(Path(settings.SPOOL_DIR) / str(attempt_id))


def _gather(assignment: Assignment, host: AttemptHost, outcome: Outcome) -> tuple[Left, Outcome]:
    """Store what the work left. What can't be stored makes a success a failure, never a silent loss."""
    try:
        stored = [_stored(host, host.clean_artifact(artifact)) for artifact in outcome.artifacts]
        return _with_change(assignment, stored), _redacted(host, outcome)
    except (OSError, WorkspaceError) as error:
        logger.warning("attempt %s: what it left could not be stored", assignment.attempt_id, exc_info=True)
        if outcome.kind == "succeeded":
            outcome = replace(
                outcome,
                kind="failed",
                reason="storage",
                artifacts=(),
                error=f"The work ended well, but what it left could not be stored: {error}",
            )
        return Left(), _redacted(host, outcome)


def _redacted(host: AttemptHost, outcome: Outcome) -> Outcome:
    if not outcome.outputs and not outcome.error:
        return outcome
    outputs = {name: host.redact(v) if isinstance(v, str) else v for name, v in outcome.outputs.items()}
    return replace(outcome, error=host.redact(outcome.error), outputs=outputs)


def _stored(host: AttemptHost, artifact: FoundArtifact) -> dict[str, Any]:
    kept = ArtifactStore(Path(settings.ARTIFACTS_DIR)).adopt(artifact.path)
    return {
        "name": _named(host, artifact.name, 200),
        "kind": artifact.kind,
        "path": _named(host, artifact.relative_path, 1000),
        "media_type": artifact.media_type,
        "sha256": kept.sha256,
        "size": kept.size,
        "commit": "",
        "lineage": {},
    }


def _named(host: AttemptHost, name: str, longest: int) -> str:
    """A command may call a file whatever it likes, a secret included."""
    return host.redact(plain_name(name, 4096))[:longest]


def _with_change(assignment: Assignment, stored: Sequence[Mapping[str, Any]]) -> Left:
    """The workspace as it is now, and as a diff what this step changed in it."""
    path = Path(settings.WORKTREES_DIR) / str(assignment.run_id)
    if assignment.workspace_kind != "worktree" or not worktree.store_of(path).is_dir():
        return Left(artifacts=stored)
    seen = _insist(lambda: _last_checkpoint(assignment))
    tree = worktree.open_run_worktree(path)
    taken = worktree.snapshot(tree, message=f"Run {assignment.run_number}: {assignment.step_key}")
    return Left(
        commit=taken.commit,
        tree=taken.tree,
        head=taken.head,
        artifacts=[{**artifact, "commit": taken.commit} for artifact in stored],
        diff=_diff(assignment, tree, taken),
        seen=seen,
    )


def _last_checkpoint(assignment: Assignment) -> int | None:
    return WorkflowRun.objects.values_list("checkpoint_sequence_no", flat=True).get(pk=assignment.run_id)


def _diff(assignment: Assignment, tree: RunWorktree, taken: Snapshot) -> dict[str, Any] | None:
    if taken.tree == assignment.workspace_tree or not assignment.workspace_tree:
        return None
    change = worktree.diff(tree, assignment.workspace_tree, taken.tree)
    kept = ArtifactStore(Path(settings.ARTIFACTS_DIR)).put(change.patch)
    lineage = {
        "from": assignment.workspace_tree,
        "to": taken.tree,
        "files": change.files,
        "insertions": change.insertions,
        "deletions": change.deletions,
        "truncated": change.truncated,
        "shared": assignment.shares_workspace,
    }
    return {
        "name": f"{assignment.step_key}.diff",
        "kind": "diff",
        "path": "",
        "media_type": "text/x-diff",
        "sha256": kept.sha256,
        "size": kept.size,
        "commit": taken.commit,
        "lineage": lineage,
    }


def _insist(act: Callable[[], T]) -> T:
    """A result that is known must not be lost because the database was away for a while."""
    until, pause = time.monotonic() + PATIENCE_SECONDS, 0.1
    while True:
        try:
            return act()
        except (Busy, DatabaseError):
            if time.monotonic() > until:
                raise
            logger.warning("the result of an attempt could not be written yet; trying again")
        time.sleep(pause)
        pause = min(pause * 2, 5.0)
