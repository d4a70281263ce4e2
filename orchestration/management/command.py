"""What the commands about runs share: refusals of the engine as one sentence, runs by name, the words for verbs.

People, projects and the example in the help come from `policy.management.command`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from django.core.management import CommandError, CommandParser

from orchestration.engine.errors import EngineError
from orchestration.models import WorkflowRun
from orchestration.plan_text import check_data, read_json
from orchestration.planner import PlannerError
from orchestration.reading import finding
from orchestration.schema import InvalidPlan
from policy.actors import Actor
from policy.errors import PolicyError
from policy.management.command import PolicyCommand, actor_of, add_user_option, person, project

__all__ = ["EngineCommand", "actor_of", "add_user_option", "find_run", "person", "project"]
NUMBERED = re.compile(r"(?P<project>[a-z0-9][a-z0-9-]{0,62})#(?P<number>[0-9]{1,9})")
RUN_HELP = "the run's id, or PROJECT#NUMBER"


class EngineCommand(PolicyCommand):
    refusals = (PolicyError, EngineError, InvalidPlan, PlannerError)

    def show(self, data: Any) -> None:
        self.stdout.write(json.dumps(data, indent=2, ensure_ascii=False))


class RunVerb(EngineCommand):
    """A change of one run for one person, with a reason: `act` does it and answers the run."""

    takes_step = False
    done = ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", metavar="RUN", help=RUN_HELP)
        if self.takes_step:
            parser.add_argument("step", metavar="STEP", help="the step's key")
        self.add_more(parser)
        parser.add_argument("--reason", required=True, help="why; it goes into the audit log")
        add_user_option(parser, required=True)
        parser.add_argument("--json", action="store_true", help="print the run as JSON")

    def add_more(self, parser: CommandParser) -> None:
        """Arguments beside those that all verbs take."""

    def run(self, options: dict[str, Any]) -> None:
        from orchestration.reading import runs

        by = actor_of(options)
        found = find_run(by, options["run"])
        self.act(found, by, options)
        told = runs.run_detail(by, str(found.pk))
        if options["json"]:
            self.show(told)
        else:
            self.stdout.write(f"{self.done.format(**options)} Run {name_of(told)} is {state_of(told)}.")

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        raise NotImplementedError


def find_run(by: Actor, text: str) -> WorkflowRun:
    """By its id or PROJECT#NUMBER; what this person can't see is not there."""
    named = NUMBERED.fullmatch(text.strip())
    if named is None:
        return finding.find_run(by, text.strip())
    visible = finding.visible_runs(by)
    found = visible.filter(project__slug=named["project"], number=int(named["number"])).first()
    if found is None:
        raise CommandError(f"There is no run {text} that you can see.")
    return found


def add_outputs(parser: CommandParser) -> None:
    parser.add_argument("--evidence", default="", help="what shows it, such as a link or a file name")
    parser.add_argument(
        "--output",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an output that the step promises; repeatable",
    )


def pairs(given: list[str], option: str) -> dict[str, str]:
    """NAME=VALUE, each name once."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise CommandError(f"{option} {text[:60]!r} must be NAME=VALUE.", returncode=2)
        if name in found:
            raise CommandError(f"{option} {name} is given twice.", returncode=2)
        found[name] = value
    return found


def typed(values: dict[str, str], wanted: dict[str, Any]) -> dict[str, Any]:
    """Numbers and booleans as the plan's inputs want them; what is no such value is left to be refused by name."""
    return {name: _typed(text, wanted.get(name, {}).get("type", "string")) for name, text in values.items()}


def _typed(text: str, kind: str) -> Any:
    if kind == "string":
        return text
    try:
        value = read_json(text)
        check_data(value)
    except InvalidPlan:
        return text
    return value


def name_of(told: dict[str, Any]) -> str:
    return f"{told['project']}#{told['number']}"


def state_of(told: dict[str, Any]) -> str:
    return f"{told['state']} ({told['state_reason']})" if told["state_reason"] else str(told["state"])
