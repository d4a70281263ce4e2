"""What a rule would have changed: the steps that really ran, judged under the rules with and without it.

Read only. Nothing here decides anything; the rule is not stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestration.engine import gates
from orchestration.engine.environments import with_environment
from orchestration.engine.errors import Unfilled
from orchestration.models import StepRun
from policy import risk
from policy.models import Project
from policy.risk import PolicyContext, Verdict
from policy.ruleset import Rule


@dataclass(frozen=True)
class Trial:
    """One step that ran, and what policy says of it before and after."""

    run: str  # PROJECT#NUMBER
    step: str
    before: Verdict
    after: Verdict

    @property
    def is_changed(self) -> bool:
        return (self.before.verdict, self.before.risk) != (self.after.verdict, self.after.risk)


def try_rule(project: Project, rule: Rule, *, last: int) -> Iterator[Trial]:
    """The last so many steps of this project that were started, newest first. A rule of the same name is replaced."""
    today, tried = _contexts(project, rule)
    ran = StepRun.objects.filter(run__project=project, attempt__gt=0).order_by("-started_at", "-pk")
    columns = ("key", "run__number", "run__feature__slug", "step__definition", "step__version__plan__env")
    for key, number, feature, definition, env in ran.values_list(*columns)[:last]:
        step = _whole(definition, env or {}, project)
        yield Trial(f"{project.slug}#{number}", key, _judge(step, today, feature), _judge(step, tried, feature))


def _whole(definition: Mapping[str, Any], env: Mapping[str, str], project: Project) -> dict[str, Any]:
    """With the profile as it is today; one that is gone can't be told any more."""
    try:
        return with_environment(definition, env, project.pk)
    except Unfilled:
        return with_environment({**definition, "env_profile": None}, env, project.pk)


def try_on_command(project: Project, rule: Rule, command: str) -> Trial:
    """One command line, as a step of a plan would have it."""
    today, tried = _contexts(project, rule)
    step = {"key": "command", "name": "Command", "type": "command", "command": command}
    return Trial(project.slug, "command", _judge(step, today, ""), _judge(step, tried, ""))


def _contexts(project: Project, rule: Rule) -> tuple[PolicyContext, PolicyContext]:
    """The rules as they are, and with this one."""
    today = gates.context_for(project, "", project.rules_revision)
    kept = tuple(one for one in today.rules.rules if one.name != rule.name)
    return today, replace(today, rules=replace(today.rules, rules=(*kept, rule)))


def _judge(step: Mapping[str, Any], context: PolicyContext, feature: str) -> Verdict:
    return risk.evaluate(step, replace(context, feature=feature))
