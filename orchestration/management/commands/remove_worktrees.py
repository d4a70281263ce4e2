"""remove_worktrees: the folders of runs that have long been over."""

from typing import Any

from django.conf import settings
from django.core.management import CommandParser

from orchestration import retention
from policy.actors import Actor
from policy.management.command import PolicyCommand


class Command(PolicyCommand):
    help = (
        "Remove the worktrees of runs that succeeded or were canceled long ago. Branches stay, and so does a worktree\n"
        "with changes that are not on its branch. A worker does the same every hour.\n\n"
        "Example: manage.py remove_worktrees --older-than 7 --dry-run"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        default = settings.WORKTREE_DAYS or 14
        parser.add_argument(
            "--older-than", type=int, metavar="DAYS", default=default, help=f"days since the run's end (now {default})"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")

    def run(self, options: dict[str, Any]) -> None:
        removed = kept = 0
        for old in retention.find(days=max(0, options["older_than"])):
            if old.kept:
                kept += 1
                self.stdout.write(f"{old.name}: kept. {old.kept}")
            elif options["dry_run"] or retention.remove(old, by=Actor.for_shell()):
                removed += 1
                self.stdout.write(f"{old.name}: {'would be removed' if options['dry_run'] else 'removed'} ({old.path})")
        verb = "would be removed" if options["dry_run"] else "removed"
        self.stdout.write(f"{removed} {verb}, {kept} kept.")
