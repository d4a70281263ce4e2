"""doctor: what works here, what does not, and what to mend."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management import CommandParser

from ccdash import doctor
from ccdash.doctor.finding import FAIL, OK, WARN
from policy.management.command import PolicyCommand

EXIT = {OK: 0, WARN: 0, FAIL: 1}


class Command(PolicyCommand):
    help = (
        "Look at settings, database, migrations, channel layer, broker, sandbox, git, providers, disk, data folder, "
        "workers and audit log, and say what to mend. Exit code 0: it works, 1: something is broken. Changes "
        "nothing.\n\n"
        "Example: manage.py doctor"
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--network", action="store_true", help="see whether the configured providers answer, too")
        parser.add_argument("--json", action="store_true", help="print a JSON list")

    def run(self, options: dict[str, Any]) -> None:
        found = list(doctor.look(network=options["network"]))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in found], indent=2))
        else:
            for finding in found:
                self.stdout.write(_line(finding))
        if code := max(EXIT[finding.status] for finding in found):
            raise SystemExit(code)


def _line(finding: doctor.Finding) -> str:
    mend = f"\n      {finding.mend}" if finding.mend else ""
    return f"{finding.status:<5} {finding.part}: {finding.message}{mend}"
