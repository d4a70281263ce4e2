"""try_rules PROJECT --last N: what a rule would have changed on steps that really ran. Stores nothing."""

from pathlib import Path
from typing import Any

from django.core.management import CommandError, CommandParser

from orchestration import plan_text
from orchestration.engine.trying import Trial, try_rule
from orchestration.management.command import EngineCommand, actor_of, add_user_option
from orchestration.reading import finding
from policy.expressions import ExpressionError
from policy.models.rules import Risk, Verdicts
from policy.rules import Rule, check_condition

FIELDS = ("name", "description", "condition", "verdict", "risk", "approvers")


class Command(EngineCommand):
    help = (
        "Try a rule on the last steps that ran in a project, and list those whose verdict would change. A rule of the "
        "same name is replaced in the trial. The rule comes from options, or from a YAML file with name, condition, "
        "verdict, risk, approvers.\n\n"
        "Examples: manage.py try_rules website --last 200 --condition \"'network' in command.classes\" --verdict deny\n"
        "          manage.py try_rules website --last 200 --rule rule.yaml"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("--last", type=int, default=100, metavar="N", help="so many steps (default: 100)")
        parser.add_argument("--rule", type=Path, metavar="FILE", help="the rule as YAML or JSON")
        parser.add_argument("--name", default="tried-rule", help="the rule's name")
        parser.add_argument("--condition", default="", help="a CEL expression over the documented facts")
        parser.add_argument("--verdict", choices=Verdicts.values, help="what it asks for where it matches")
        parser.add_argument("--risk", default="low", choices=Risk.values, help="the risk it says (default: low)")
        parser.add_argument("--json", action="store_true", help="print the changes as JSON")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        if options["last"] < 1:
            raise CommandError("--last must be at least 1.", returncode=2)
        rule = _rule(options)
        project = finding.find_project(actor_of(options), options["project"])
        trials = list(try_rule(project, rule, last=options["last"]))
        changed = [trial for trial in trials if trial.is_changed]
        if options["json"]:
            self.show({"looked_at": len(trials), "changed": [_told(trial) for trial in changed]})
            return
        for trial in changed:
            self.stdout.write(
                f"{trial.run} {trial.step}: {trial.before.verdict} ({trial.before.risk}) -> "
                f"{trial.after.verdict} ({trial.after.risk})"
            )
        self.stdout.write(f"{len(changed)} of {len(trials)} steps would have another verdict.")


def _rule(options: dict[str, Any]) -> Rule:
    given: dict[str, Any] = {name: options.get(name) for name in FIELDS}
    if options["rule"]:
        given = _from_file(options["rule"])
    faults = [
        (given.get("verdict") not in Verdicts.values, "verdict", f"must be one of {', '.join(Verdicts.values)}"),
        (given.get("risk", "low") not in Risk.values, "risk", f"must be one of {', '.join(Risk.values)}"),
        (not isinstance(given.get("condition"), str) or not given["condition"], "condition", "is needed, as CEL"),
    ]
    for is_wrong, name, message in faults:
        if is_wrong:
            raise CommandError(f"The rule's {name} {message}.", returncode=2)
    try:
        check_condition(given["condition"])
    except ExpressionError as error:
        raise CommandError(f"The condition can't be used: {error}", returncode=2) from None
    return Rule(
        name=str(given.get("name") or "tried-rule"),
        description=str(given.get("description") or ""),
        verdict=given["verdict"],
        risk=given.get("risk") or "low",
        condition=given["condition"],
        approvers=tuple(map(str, given.get("approvers") or ())),
    )


def _from_file(path: Path) -> dict[str, Any]:
    try:
        given = plan_text.read_plan(path.read_bytes())
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from None
    if not isinstance(given, dict) or not set(given) <= set(FIELDS):
        raise CommandError(f"{path} must hold a rule: {', '.join(FIELDS)}.", returncode=2)
    return given


def _told(trial: Trial) -> dict[str, Any]:
    return {
        "run": trial.run,
        "step": trial.step,
        "before": {"verdict": trial.before.verdict, "risk": trial.before.risk},
        "after": {"verdict": trial.after.verdict, "risk": trial.after.risk},
    }
