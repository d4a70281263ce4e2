"""reconcile: what the sweeper does, now, what dead workers of this machine left, and what providers still owe."""

from typing import Any

from django.core.management import CommandParser

from orchestration import reconciliation
from orchestration.engine import reconciling, recovering
from orchestration.engine.reconciling import Owed
from orchestration.management.command import EngineCommand
from orchestration.management.reconciling import Reconciler
from orchestration.models import ExecutionRun
from orchestration.reading.plain import moment

WORDS = {"in_sync": "in sync", "stale": "out of step", "error": "not to be had: the provider could not be asked"}


class Command(EngineCommand):
    help = (
        "Recover now: retries that are due, expired approvals, runs past their time, queued runs with a place, and "
        "attempts whose worker on this machine is dead. What still runs is left to a worker. Then ask the providers "
        "how the open answers of agents stand. Safe beside a server.\n\n"
        "Example: manage.py reconcile"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait", type=float, default=10.0, metavar="SECONDS", help="for results of attempts (default: 10)"
        )
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def run(self, options: dict[str, Any]) -> None:
        adopted, left = Reconciler(options["wait"]).adopt_orphans()
        repaired = recovering.sweep()
        asked = reconciliation.look_at(reconciling.everything(), wait=options["wait"])
        if options["json"]:
            told = [_line(owed, status) for owed, status in asked]
            self.show({"repaired": repaired, "adopted": adopted, "left": left, "providers": told})
            return
        self.stdout.write(f"Repaired {repaired} rows, settled {adopted} attempts of dead workers.")
        if left:
            self.stdout.write(f"{left} attempts go on, or belong to another machine; a worker takes them up.")
        for owed, status in asked:
            self.stdout.write(
                f"{owed.provider}: the answer for step {owed.step_key!r} of run {owed.run_id} is {WORDS[status]}."
            )


def _line(owed: Owed, status: str) -> dict[str, Any]:
    attempt = ExecutionRun.objects.only("last_reconciled_at", "sync_error").get(pk=owed.attempt_id)
    return {
        "run": str(owed.run_id),
        "step_key": owed.step_key,
        "attempt": owed.number,
        "provider": owed.provider,
        "sync_status": status,
        "sync_error": attempt.sync_error,
        "last_reconciled_at": moment(attempt.last_reconciled_at),
    }
