"""reconcile: what the sweeper does, now, and what dead workers of this machine left."""

from typing import Any

from django.core.management import CommandParser

from orchestration.engine import recovering
from orchestration.management.command import EngineCommand
from orchestration.management.reconciling import Reconciler


class Command(EngineCommand):
    help = (
        "Recover now: retries that are due, expired approvals, runs past their time, queued runs with a place, and "
        "attempts whose worker on this machine is dead. What still runs is left to a worker. Safe beside a server.\n\n"
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
        if options["json"]:
            self.show({"repaired": repaired, "adopted": adopted, "left": left})
            return
        self.stdout.write(f"Repaired {repaired} rows, settled {adopted} attempts of dead workers.")
        if left:
            self.stdout.write(f"{left} attempts go on, or belong to another machine; a worker takes them up.")
