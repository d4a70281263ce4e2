"""import_features PROJECT: features from the repository's documents."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management import CommandParser

from orchestration import features
from orchestration.features import ImportReport
from orchestration.management.command import EngineCommand, actor_of, add_user_option, project


class Command(EngineCommand):
    help = (
        "Find the planning documents of a project's repository by their front matter, and make or update its features."
        "\n\nExample: manage.py import_features website"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        where = project(options["project"])
        report = features.import_features(where, actor_of(options))
        text = json.dumps(asdict(report), indent=2) if options["json"] else "\n".join(_lines(report))
        self.stdout.write(text)


def _lines(report: ImportReport) -> list[str]:
    count = len(report.created) + len(report.updated) + len(report.unchanged)
    lines = [f"Found {len(report.documents)} documents of {count} features."]
    lines += [f"  created    {slug}" for slug in report.created]
    lines += [f"  updated    {slug}" for slug in report.updated]
    lines += [f"  unchanged  {slug}" for slug in report.unchanged]
    changes = (("Added", report.added), ("Changed", report.changed), ("Removed", report.removed))
    for title, paths in changes:
        lines += [f"{title} {len(paths)} documents:", *(f"  {path}" for path in paths)] if paths else []
    if report.skipped:
        lines.append(f"Skipped {len(report.skipped)}:")
        lines += [f"  {skipped.path}: {skipped.reason}" for skipped in report.skipped]
    return lines
