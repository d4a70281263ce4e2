"""export_report RUN FILE: the report of a run, as JSON, Markdown, HTML, or all of them in a zip with checksums."""

from pathlib import Path
from typing import Any

from django.core.management import CommandError, CommandParser

from orchestration import report_files, reports
from orchestration.management.command import RUN_HELP, EngineCommand, actor_of, add_user_option, find_run

FORMS = {".json": "json", ".md": "md", ".html": "html", ".zip": "zip"}


class Command(EngineCommand):
    help = (
        "Write the report of a run to a file: what ran, who decided what and why, what it cost, what it left.\n\n"
        "Example: manage.py export_report website#12 report.html"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", metavar="RUN", help=RUN_HELP)
        parser.add_argument("file", metavar="FILE", type=Path, help="ends in .json, .md, .html or .zip")
        parser.add_argument("--format", choices=sorted(set(FORMS.values())), help="where the file's name does not say")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        form = options["format"] or FORMS.get(options["file"].suffix.lower())
        if form is None:
            raise CommandError(
                f"{options['file']} must end in .json, .md, .html or .zip, or give --format.", returncode=2
            )
        run = find_run(actor_of(options), options["run"])
        report = reports.report_of(run)
        written = report_files.zipped(report) if form == "zip" else reports.written(report, form)
        try:
            options["file"].write_bytes(written)
        except OSError as error:
            raise CommandError(f"{options['file']} can't be written: {error.strerror}.") from None
        self.stdout.write(f"Wrote the report of {run.project.slug}#{run.number} to {options['file']}.")
