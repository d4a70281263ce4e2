"""Rules as data, and sets of them. Pure.

A rule matches classes of what a step does, or a CEL condition over the documented facts, or both. All rules that
match count and the strictest verdict holds, so no rule can soften another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from policy import canonical, shell

VERDICTS = ("allow", "require_approval", "require_elevated_approval", "deny")
RISKS = ("low", "medium", "high", "critical")
# What a condition may name, and of what type it is; policy.step_facts builds these, all of them always there.
FACTS = {
    **dict.fromkeys(
        (f"step.{name}" for name in ("key", "name", "type", "risk", "effects", "provider", "model", "cwd")), "text"
    ),
    **dict.fromkeys(("step.tools", "step.secrets", "step.env"), "list"),
    "step.timeout_seconds": "number",
    "step.network": "bool",
    "command.text": "text",
    **dict.fromkeys(
        (f"command.{name}" for name in ("classes", "programs", "subcommands", "reads", "writes", "deletes")), "list"
    ),
    **dict.fromkeys(("tool.name", "tool.path", "project", "feature", "environment", "sandbox"), "text"),
    **dict.fromkeys(("cost.max_usd", "cost.max_tokens"), "number"),
}
VARIABLES = frozenset(name.partition(".")[0] for name in FACTS)


@dataclass(frozen=True)
class Rule:
    """`description` is the sentence people read when a condition matched; for a class, its own sentence is."""

    name: str
    description: str
    verdict: str
    risk: str
    classes: frozenset[str] = frozenset()
    condition: str = ""
    approvers: tuple[str, ...] = ()
    version: int = 1

    def as_data(self) -> dict[str, object]:
        fields = {name: getattr(self, name) for name in ("name", "verdict", "risk", "condition", "version")}
        return {**fields, "classes": sorted(self.classes), "approvers": list(self.approvers)}


@dataclass(frozen=True)
class RuleSet:
    rules: tuple[Rule, ...]
    version: str = field(init=False)

    def __post_init__(self) -> None:
        facts = {"classifier": shell.VERSION, "rules": [rule.as_data() for rule in self.rules]}
        object.__setattr__(self, "version", canonical.digest("ccdash-rules-v1", facts)[:16])

    @cached_property
    def by_class(self) -> dict[str, tuple[Rule, ...]]:
        table: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for kind in () if rule.condition else rule.classes:
                table.setdefault(kind, []).append(rule)
        return {kind: tuple(rules) for kind, rules in table.items()}

    @cached_property
    def conditional(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.condition)

    def plus(self, *rules: Rule) -> RuleSet:
        """The same set with others beside it: what a rule would change is tried with this before it is saved."""
        return RuleSet((*self.rules, *rules))


def strictest(verdicts: Iterable[str]) -> str:
    return max(verdicts, key=VERDICTS.index, default="allow")


def highest(risks: Iterable[str]) -> str:
    return max(risks, key=RISKS.index, default="low")
