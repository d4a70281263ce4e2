"""start_run WORKFLOW: launch a run, and follow it with --wait."""

from typing import Any

from django.core.management import CommandError, CommandParser

from orchestration.engine import launching
from orchestration.management.command import EngineCommand, actor_of, add_user_option, name_of, pairs, state_of, typed
from orchestration.management.following import Follower
from orchestration.reading import finding, runs


class Command(EngineCommand):
    help = (
        "Launch a run of a workflow and print its name and id. A worker (script/run or run_worker) does the work. With "
        "--wait it is followed to its end: exit code 0 where it succeeded, 1 otherwise.\n\n"
        "Example: manage.py start_run 6f1c0c52-6f0e-4b7e-9d52-7f6f5a0b7b3e --input version=1.4 --user anna --wait"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("workflow", metavar="WORKFLOW", help="the workflow's id")
        parser.add_argument(
            "--input",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a value of the plan's inputs; repeatable",
        )
        parser.add_argument("--plan-version", type=int, metavar="N", help="this version; the newest where left out")
        parser.add_argument("--wait", action="store_true", help="follow it, and exit by the result")
        parser.add_argument("--timeout", type=float, metavar="SECONDS", help="with --wait: give up after so long")
        parser.add_argument("--json", action="store_true", help="print the run as JSON, at its end with --wait")
        add_user_option(parser, required=True)

    def run(self, options: dict[str, Any]) -> None:
        by, given = actor_of(options), pairs(options["input"], "--input")
        workflow = finding.find_workflow(by, options["workflow"])
        version = finding.find_version(workflow, options["plan_version"])
        values = typed(given, version.plan.get("inputs", {}))
        run = launching.launch_run(workflow, inputs=values, by=by, version=version)
        self._say(options, f"Started {run.project.slug}#{run.number}, id {run.pk}.")
        if options["wait"]:
            follower = Follower(run.pk, lambda line: self._say(options, line), self.warn)
            follower.follow(options["timeout"])
        told = runs.run_detail(by, str(run.pk))
        if options["json"]:
            self.show(told)
        if options["wait"] and told["state"] != "succeeded":
            raise CommandError(f"Run {name_of(told)} is {state_of(told)}.")

    def _say(self, options: dict[str, Any], line: str) -> None:
        if not options["json"]:
            self.stdout.write(line)
            self.stdout.flush()
