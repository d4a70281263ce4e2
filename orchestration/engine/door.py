"""The one door: lock, refuse or move, promote, recompute, record, commit, then tell.

Every change of a run goes through `change_run`, whoever asks. A refusal leaves its audit record and nothing else.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime
from typing import TypeVar

from django.db import OperationalError, connection, transaction

from orchestration import events
from orchestration.engine.change import Change
from orchestration.engine.errors import Busy, NotFound, WrongState, why_not_written
from orchestration.engine.group_commit import Carried
from orchestration.engine.image import images, load
from orchestration.engine.locks import do_in_run_transaction, write_transaction
from orchestration.engine.promoting import recompute
from orchestration.engine.statements import StaleRow, Statement, ask
from orchestration.models import WorkflowRun
from policy import audit
from policy.actors import Actor
from policy.errors import PolicyError

T = TypeVar("T")
ATTEMPTS = 6


def change_run(run_id: uuid.UUID, actor: Actor, body: Callable[[Change], T]) -> T:
    """Run `body` as one change. A refusal is audited and changes nothing else; a busy database is tried again."""
    try:
        return _with_patience(lambda: _change_once(run_id, actor, body))
    except (WrongState, PolicyError) as refusal:
        if actor.kind != "system":
            record_refusal(run_id, actor, refusal)
        raise


def record_refusal(run_id: uuid.UUID, actor: Actor, refusal: Exception) -> None:
    """The one trace that a refused action leaves."""
    run = WorkflowRun.objects.select_related("project").filter(pk=run_id).first()
    if run is None:
        return
    with write_transaction():
        audit.append(
            f"refused.{getattr(refusal, 'code', 'refused')}",
            actor=actor,
            project=run.project.slug,
            run=str(run.pk),
            subject=f"run:{run.pk}",
            reason=str(refusal),
            outcome="refused",
        )


def _change_once(run_id: uuid.UUID, actor: Actor, body: Callable[[Change], T]) -> T:
    def work(carried: Carried) -> T:
        change = begin(run_id, actor, carried)
        answer = body(change)
        recompute(change)
        # Before the lock is given back and before anybody is told: whoever comes next finds the image.
        transaction.on_commit(lambda: images.keep_all(carried))
        if change.has_news:
            change.flush()
            transaction.on_commit(
                lambda: events.announce(change.run.pk, change.run.project_id, change.nudges, change.after_commit)
            )
        # Not before all is written. A later change in this transaction takes it out again, for if it fails then the
        # image is half moved, and nobody may keep it.
        carried[run_id] = change.image
        # The image's own run changes with the next change, under whoever would still look at it.
        return copy(answer) if answer is change.run else answer

    return do_in_run_transaction(run_id, work)


def begin(run_id: uuid.UUID, actor: Actor, carried: Carried | None = None) -> Change:
    """Lock the run and hold it as an image. Call inside a transaction of this run, with what it carries on."""
    row = ask(Statement(_LOCK[connection.vendor], [WorkflowRun._meta.pk.get_db_prep_value(run_id, connection)]))
    if row is None:
        raise NotFound("There is no such run.")
    sequence_no, now, revision, device, inode = row
    image = (carried or {}).pop(run_id, None) or images.take(run_id)
    if image is None or image.run.last_sequence_no != sequence_no:
        image = load(run_id)
    folder = None if inode is None else (device, int(inode))
    return Change(image, actor, _aware(now), revision, folder)


def database_now() -> datetime:
    """The clock that leases, expiry and due times go by: the database's, never this machine's."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW[connection.vendor], [])
        return _aware(cursor.fetchone()[0])


def _with_patience(attempt: Callable[[], T]) -> T:
    """Whole transactions again, with growing jitter, when the database was locked or chose us as the victim."""
    for count in range(ATTEMPTS):
        try:
            return attempt()
        except (OperationalError, StaleRow) as error:
            if connection.in_atomic_block or count == ATTEMPTS - 1:
                raise Busy(why_not_written(error)) from error
            time.sleep(random.uniform(0.01, 0.05) * 2**count)  # noqa: S311 - spreads out those who wait
    raise AssertionError("unreachable")


def _aware(value: datetime | str) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


_NOW = {"sqlite": "SELECT strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')", "postgresql": "SELECT clock_timestamp()"}
_LOCK = {
    "sqlite": "SELECT r.last_sequence_no, strftime('%Y-%m-%d %H:%M:%f', 'now'), p.rules_revision, p.device, p.inode"
    " FROM execution_workflow_runs r JOIN policy_project p ON p.id = r.project_id WHERE r.id = ?",
    "postgresql": "SELECT r.last_sequence_no, clock_timestamp(), p.rules_revision, p.device, p.inode"
    " FROM execution_workflow_runs r JOIN policy_project p ON p.id = r.project_id WHERE r.id = %s"
    " FOR NO KEY UPDATE OF r",
}
