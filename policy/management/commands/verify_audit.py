"""verify_audit: proves that the log is what was written, or names the first record that is not."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management import CommandError, CommandParser

from policy import audit
from policy.audit import checkpoints
from policy.audit.crosscheck import CrossCheck
from policy.audit.reading import Broken, exported_head
from policy.management.command import PolicyCommand

BROKEN = 2


class Command(PolicyCommand):
    help = (
        "Walk the audit log and name the first record that is not as it was written. Exit code 0: whole, 2: broken.\n"
        "Checkpoints of the data folder are used where there are any; copies kept elsewhere prove more.\n\n"
        "Examples: manage.py verify_audit --checkpoints /mnt/kept/checkpoints --public-key /mnt/kept/audit-key.pub\n"
        "          manage.py verify_audit --export audit-2026-11.jsonl\n"
        "          manage.py verify_audit --head audit-2026-10.jsonl"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--export", type=Path, metavar="FILE", help="verify this export instead of the database")
        parser.add_argument("--head", metavar="SEQUENCE:HASH|FILE", help="a head kept earlier that must still be there")
        parser.add_argument("--checkpoints", type=Path, metavar="DIR", help="signed checkpoints to hold it against")
        parser.add_argument("--no-checkpoints", action="store_true", help="the chain alone")
        parser.add_argument("--public-key", type=Path, metavar="FILE", help="the key that signed them")
        parser.add_argument(
            "--max-gap", type=float, metavar="HOURS", help="how long a record may wait for a checkpoint"
        )
        parser.add_argument("--project", default="", metavar="SLUG", help="count the records of this project only")
        parser.add_argument("--seal", action="store_true", help="write a checkpoint if all is well")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def run(self, options: dict[str, Any]) -> None:
        result, problems = self._verify(options)
        if result.ok and not problems and options["seal"] and not options["export"]:
            audit.write_checkpoint()
        message = problems[0] if problems else result.message
        ok = result.ok and not problems
        if options["json"]:
            self.stdout.write(json.dumps(_shown(result, ok, message, problems)))
        if not ok:
            raise CommandError(f"The audit log is broken. {message}", returncode=BROKEN)
        if not options["json"]:
            self.stdout.write(message)

    def _verify(self, options: dict[str, Any]) -> tuple[audit.VerifyResult, list[str]]:
        check = CrossCheck()
        result = audit.verify(
            options["project"] or None,
            export=_existing(options["export"]),
            checkpoints=_checkpoints(options),
            public_key=_existing(options["public_key"]),
            kept=[_head(options["head"])] if options["head"] else [],
            max_gap=timedelta(hours=options["max_gap"]) if options["max_gap"] is not None else None,
            watch=check.see,
        )
        return result, list(check.unexplained()) if result.ok and not options["export"] else []


def _checkpoints(options: dict[str, Any]) -> Path | None:
    if options["no_checkpoints"]:
        return None
    own = checkpoints.folder()
    return _existing(options["checkpoints"]) or (own if any(own.glob("*.json")) else None)


def _head(text: str) -> audit.Head:
    try:
        return exported_head(Path(text)) if Path(text).exists() else audit.Head.parse(text)
    except (Broken, ValueError) as error:
        raise CommandError(f"--head {text[:100]} is neither an export nor SEQUENCE:HASH. {error}") from None


def _existing(path: Path | None) -> Path | None:
    if path is not None and not path.exists():
        raise CommandError(f"There is no {path}.")
    return path


def _shown(result: audit.VerifyResult, ok: bool, message: str, problems: list[str]) -> dict[str, Any]:
    return {
        "ok": ok,
        "records": result.records,
        "head": {"sequence": result.head.sequence, "hash": result.head.hash},
        "first_broken": result.first_broken,
        "sealed": result.sealed,
        "message": message,
        "unexplained": problems,
    }
