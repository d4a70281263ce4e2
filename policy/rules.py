"""The rules that hold for a project: the shipped ones and the project's rows. Rows only add; the strictest holds."""

from __future__ import annotations

import functools
import re
from datetime import datetime

from django.db.models import Q

from policy import expressions
from policy.expressions import Expression, ExpressionError
from policy.models import Project
from policy.models.rules import Rule as RuleRow
from policy.ruleset import FACTS, VARIABLES, Rule, RuleSet
from policy.shipped_rules import SHIPPED

__all__ = ["SHIPPED", "Rule", "RuleSet", "check_condition", "load_rules", "requires_sandbox", "rule_of"]


def load_rules(project: Project, revision: int | None = None) -> RuleSet:
    """`revision`: the project's, as read with the run's row; a change of any rule that holds for it makes another."""
    return _load(project.pk, project.created_at, project.rules_revision if revision is None else revision)


def rule_of(row: RuleRow) -> Rule:
    """Also for a row that isn't saved: `load_rules(project).plus(rule_of(row))` shows what it would change."""
    return Rule(
        name=row.name,
        description=row.description,
        verdict=row.verdict,
        risk=row.risk,
        condition=row.condition or "true",
        approvers=tuple(row.approvers or ()),
        version=row.version,
    )


def check_condition(source: str) -> Expression:
    """Raises ExpressionError where a rule's condition can't be used; for forms and admin, before a row is saved.

    A rule that fails when it is asked denies, so a fact that isn't there is refused here, with those that are.
    """
    expression = expressions.compile_expression(source, VARIABLES)
    try:
        expressions.check_condition(source, FACTS)
    except ExpressionError as error:
        raise ExpressionError(f"{error}{_facts_there_are(str(error))}", error.line, error.column) from None
    return expression


def _facts_there_are(message: str) -> str:
    found = re.search(r"undeclared reference to '(\w+)", message)
    if found is None:
        return ""
    return f" The facts of {found[1]} are {', '.join(name for name in FACTS if name.startswith(found[1] + '.'))}."


def requires_sandbox(project: Project, revision: int | None = None) -> bool:
    """As the project's rules had it at this revision: a project that is held in memory may be an old one."""
    return _requires(project.pk, project.created_at, project.rules_revision if revision is None else revision)


@functools.lru_cache(maxsize=512)
def _requires(project_id: int, born: datetime, revision: int) -> bool:
    return Project.objects.filter(pk=project_id, sandbox_required=True).exists()


@functools.lru_cache(maxsize=512)
def _load(project_id: int, born: datetime, revision: int) -> RuleSet:
    """`born` tells a project from an earlier one that had its number."""
    rows = RuleRow.objects.filter(Q(project_id=project_id) | Q(project=None), enabled=True, current=True)
    return SHIPPED.plus(*(rule_of(row) for row in rows.order_by("name", "project_id"))) if rows else SHIPPED
