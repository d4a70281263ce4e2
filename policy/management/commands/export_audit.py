"""export_audit FILE: the log as JSON lines, with its head, to be kept and verified elsewhere."""

import sys
from pathlib import Path
from typing import Any

from django.core.management import CommandError, CommandParser

from policy import audit
from policy.audit.exports import write_export
from policy.audit.reading import Broken
from policy.management.command import PolicyCommand


class Command(PolicyCommand):
    help = (
        "Write the whole audit log as JSON lines; the last line is its head. Keep the head elsewhere: later,\n"
        "verify_audit --head FILE shows whether the log still holds it.\n\n"
        "Example: manage.py export_audit audit-2026-11.jsonl"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="replaced where it exists; - for standard output")

    def run(self, options: dict[str, Any]) -> None:
        try:
            head = self._write(options["file"])
        except OSError as error:
            raise CommandError(f"{options['file']} can't be written: {error.strerror}.") from None
        except Broken as broken:
            raise CommandError(f"The log can't be exported. {broken}", returncode=2) from None
        if options["file"] != "-":
            self.stdout.write(f"Exported {head.sequence} records to {options['file']}, head {head}.")

    def _write(self, file: str) -> audit.Head:
        return write_export(sys.stdout.buffer) if file == "-" else audit.export_audit(Path(file))
