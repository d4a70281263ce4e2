"""May this step run? Facts and rules to a verdict, with its reasons.

Pure and deterministic. The strictest rule that matches holds; what the plan's author says raises, never lowers. What
goes wrong on the way is never an allow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from policy import expressions, ruleset, step_facts
from policy.ruleset import RISKS, VARIABLES, Rule, RuleSet, highest, strictest
from policy.shipped_rules import SHIPPED
from policy.step_facts import Seen

MAX_REASONS = 30
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reason:
    code: str
    message: str
    rule: str


@dataclass(frozen=True)
class Verdict:
    verdict: str  # allow | require_approval | require_elevated_approval | deny
    risk: str  # low | medium | high | critical
    reasons: tuple[Reason, ...]
    rules_version: str
    approvers: tuple[str, ...] = ()
    sandbox: str = "none"  # under which boundary this was said


@dataclass(frozen=True)
class PolicyContext:
    project: str
    feature: str
    environment: str
    workspace_root: str | None
    rules: RuleSet = SHIPPED
    sandbox: str = "none"


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Match:
    rule: Rule
    reason: Reason
    verdict: str


def evaluate(step: Mapping[str, Any], context: PolicyContext) -> Verdict:
    """`step` is a step of a plan as plain data. Never raises."""
    return _judge(step, context, lambda root: step_facts.look_at_step(step, root))


def evaluate_tool_call(call: ToolCall, step: Mapping[str, Any], context: PolicyContext) -> Verdict:
    """`step` is the agent step that grants the tools. Never raises."""
    return _judge(step, context, lambda root: step_facts.look_at_call(call.name, call.arguments, step, root))


def _judge(step: Mapping[str, Any], context: PolicyContext, look: Callable[[str], Seen]) -> Verdict:
    try:
        seen = step_facts.bounded(look(context.workspace_root or ""), step, context.sandbox)
        return _verdict(step, context, list(_matches(step, seen, context)))
    except Exception:  # noqa: BLE001
        # A fault of ours must stop the step, not the run's engine.
        _log.exception("A step could not be judged.")
        reason = Reason(
            "judgement_failed", "The step could not be judged, so it does not run by itself.", "fail-closed"
        )
        version = context.rules.version
        return Verdict("require_elevated_approval", "critical", (reason,), version, sandbox=context.sandbox)


def _verdict(step: Mapping[str, Any], context: PolicyContext, matches: list[_Match]) -> Verdict:
    verdict = strictest(match.verdict for match in matches)
    said = step.get("risk")
    risks = [match.rule.risk for match in matches] + ([said] if said in RISKS else [])
    matches.sort(key=lambda match: -ruleset.VERDICTS.index(match.verdict))
    reasons = tuple(dict.fromkeys(match.reason for match in matches))[:MAX_REASONS]
    named = dict.fromkeys(name for match in matches if match.verdict == verdict for name in match.rule.approvers)
    return Verdict(verdict, highest(risks), reasons, context.rules.version, tuple(named), context.sandbox)


def _matches(step: Mapping[str, Any], seen: Seen, context: PolicyContext) -> Iterator[_Match]:
    rules = context.rules
    for finding in seen.findings:
        reason = Reason(finding.kind, finding.message, "")
        for rule in rules.by_class.get(finding.kind, (_UNCLASSIFIED,)):
            yield _Match(rule, Reason(finding.kind, reason.message, rule.name), rule.verdict)
    if not seen.findings:
        yield _Match(
            _UNCLASSIFIED,
            Reason("unknown", "Nothing is known of what this does.", _UNCLASSIFIED.name),
            _UNCLASSIFIED.verdict,
        )
    if rules.conditional:
        yield from _conditions(step, seen, context)


def _conditions(step: Mapping[str, Any], seen: Seen, context: PolicyContext) -> Iterator[_Match]:
    names = {name: getattr(context, name) for name in ("project", "feature", "environment", "sandbox")}
    facts = step_facts.facts_of(step, seen, names)
    kinds = {finding.kind for finding in seen.findings}
    for rule in context.rules.conditional:
        if rule.classes and not rule.classes & kinds:
            continue
        match = _condition(rule, facts)
        if match is not None:
            yield match


def _condition(rule: Rule, facts: Mapping[str, Any]) -> _Match | None:
    try:
        holds = expressions.compile_expression(rule.condition, VARIABLES).evaluate_bool(facts)
    except expressions.ExpressionError as error:
        message = f"The rule {rule.name} could not be evaluated, so a person decides: {error}"
        return _Match(_BROKEN, Reason("rule_error", message, rule.name), strictest((rule.verdict, "require_approval")))
    if not holds:
        return None
    return _Match(rule, Reason("rule", rule.description or f"The rule {rule.name} matched.", rule.name), rule.verdict)


_UNCLASSIFIED = Rule("fail-closed", "No rule says whether this may happen.", "require_approval", "high")
_BROKEN = Rule("fail-closed", "A rule could not be evaluated.", "require_approval", "high")
