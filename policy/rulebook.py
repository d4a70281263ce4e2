"""Changes rules. An edit writes a new version and leaves the old one for the record; nothing is ever deleted.

Every project that a rule holds for gets a new revision in the same transaction, so that no step starts under rules
that were read before.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from policy import access, audit
from policy.actors import Actor
from policy.errors import Conflict, Invalid, NotAllowed
from policy.expressions import ExpressionError
from policy.models import Project, Rule
from policy.models.access import Role
from policy.models.rules import Risk
from policy.rules import check_condition

APPROVER = re.compile(rf"role:({'|'.join(Role.values)})|user:[^\s:]{{1,150}}|group:[^:]{{1,150}}")


@dataclass(frozen=True)
class RuleText:
    """What a version says."""

    description: str
    condition: str
    verdict: str
    risk: str = Risk.LOW
    approvers: tuple[str, ...] = ()
    enabled: bool = True


def write_rule(project: Project | None, name: str, text: RuleText, *, by: Actor, reason: str = "") -> Rule:
    """The first version of a rule, or the next one. `project` None: it holds for all, and a superuser writes it."""
    _require(project, by)
    check_approvers(text.approvers)
    _check(text.condition)
    with transaction.atomic():
        _renew_revisions(project)
        before = Rule.objects.filter(project=project, name=name, current=True).first()
        rule = _next(project, name, text, before, by)
        Rule.objects.filter(project=project, name=name, current=True).exclude(pk=rule.pk).update(current=False)
        audit.append(
            "rule.changed" if before else "rule.created",
            actor=by,
            project=project.slug if project else "",
            subject=f"rule:{project.pk if project else ''}:{name}",
            before=_described(before) if before else {},
            after=_described(rule),
            reason=reason,
        )
    return rule


def check_approvers(approvers: tuple[str, ...]) -> None:
    for entry in approvers:
        if not isinstance(entry, str) or not APPROVER.fullmatch(entry):
            raise Invalid(f"{entry!r} names nobody: write role:NAME, user:NAME or group:NAME.", field="approvers")


def _require(project: Project | None, by: Actor) -> None:
    if project is not None:
        access.require(by, access.Permission.MANAGE, project)
    elif not by.is_superuser and not by.owns_installation:
        raise NotAllowed("Only a superuser may change a rule that holds for all projects.")


def _check(condition: str) -> None:
    try:
        check_condition(condition)
    except ExpressionError as error:
        raise Invalid(f"The condition can't be used: {error}", field="condition") from None


def _renew_revisions(project: Project | None) -> None:
    """Also the lock under which versions are counted."""
    touched = Project.objects.filter(pk=project.pk) if project else Project.objects.all()
    touched.update(rules_revision=F("rules_revision") + 1)


def _next(project: Project | None, name: str, text: RuleText, before: Rule | None, by: Actor) -> Rule:
    fields: dict[str, Any] = {**asdict(text), "approvers": list(text.approvers)}
    version = before.version + 1 if before else 1
    rule = Rule(project=project, name=name, version=version, created_by_id=by.user_id, **fields)
    try:
        rule.full_clean(validate_constraints=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Invalid(f"{field}: {' '.join(messages)}", field=field) from None
    try:
        with transaction.atomic():
            rule.save(force_insert=True)
    except IntegrityError:
        raise Conflict("Somebody changed this rule at the same moment; look at it again.") from None
    return rule


def _described(rule: Rule) -> dict[str, Any]:
    names = ("version", "description", "condition", "verdict", "risk", "approvers", "enabled")
    return {name: getattr(rule, name) for name in names}
