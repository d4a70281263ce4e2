"""Whether work is done and recorded: workers, the audit log."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings

from ccdash.doctor.finding import Finding, fail, ok, warn
from orchestration import audit_delivery, retention
from orchestration.engine.door import database_now
from orchestration.executors import sandbox
from orchestration.models import ExecutionRun, StepRun
from policy import audit
from policy.models import Project

START = "Start script/run" + ("" if settings.EMBEDDED else ", or run_worker") + "; reconcile settles what was left."


def workers() -> Iterator[Finding]:
    """Told by leases: a worker renews those of its attempts every few seconds."""
    now = database_now()
    leases = list(ExecutionRun.objects.filter(finished_at=None).values_list("lease_expires_at", flat=True)[:1000])
    held = sum(1 for lease in leases if lease is not None and lease > now)
    if held < len(leases):
        yield fail("workers", f"{len(leases) - held} attempts have no worker any more.", START)
    elif held:
        yield ok("workers", f"{held} attempts are looked after.")
    elif _somebody_waits():
        yield warn("workers", "Steps are ready, and none is running.", START)
    else:
        yield ok("workers", "Nothing is running and nothing waits to, so no heartbeat is to be seen.")


def boundaries() -> Iterator[Finding]:
    """Projects that require a sandbox, and whether this machine has one."""
    slugs = list(Project.objects.filter(sandbox_required=True).order_by("slug").values_list("slug", flat=True))
    named = ", ".join(slugs[:5]) + (f" and {len(slugs) - 5} more" if slugs[5:] else "")
    if not slugs:
        yield ok("boundary", f"No project requires a sandbox; code runs in: {settings.SANDBOX}.")
    elif sandbox.detect():
        yield ok("boundary", f"Code of {named} runs in bubblewrap, as required; of others in: {settings.SANDBOX}.")
    else:
        said = f"{named} require a sandbox, and bubblewrap does not work here: their steps with code are refused."
        yield fail("boundary", said, "Install bubblewrap and allow user namespaces.")


def worktrees() -> Iterator[Finding]:
    days = settings.WORKTREE_DAYS
    if not days:
        yield ok(
            "worktrees", f"They are kept for ever; {len(list(retention.over(days=0)))} of runs that are over lie here."
        )
        return
    late = sum(1 for _ in retention.over(days=days + 1))
    if late:
        told = f"{late} of runs that ended more than {days} days ago are still here."
        mend = "remove_worktrees says why: a worker removes them, but for those with changes that are on no branch."
        yield warn("worktrees", told, mend)
    else:
        yield ok("worktrees", f"None is left of a run that ended more than {days} days ago.")


def audit_log() -> Iterator[Finding]:
    found = audit.verify_tail()
    if found.ok:
        yield ok("audit log", f"{found.message} Head {found.head.sequence}:{found.head.hash[:12]}.")
    else:
        yield fail("audit log", found.message, "Run verify_audit, keep the database as it is, and look who had access.")


def audit_delivery_ways() -> Iterator[Finding]:
    """Whether checkpoints reach the places that settings name; what was said there stands in a file of the worker's."""
    ways = audit_delivery.standings()
    if not ways:
        yield ok("audit delivery", "No webhook and no git remote is set; checkpoints stay where the folders are.")
    for way in ways:
        if way.failure is not None:
            told = f"{way.waiting} checkpoints wait for the {way.name} {way.place}, tried {way.failure.tries} times."
            yield warn("audit delivery", f"{told} {way.failure.message}", "Mend the other end; a worker tries again.")
        else:
            yield ok("audit delivery", f"{way.waiting} checkpoints wait for the {way.name} {way.place}.")


def _somebody_waits() -> bool:
    return StepRun.objects.filter(state="ready", run__control="none", run__admitted=True).exists()
