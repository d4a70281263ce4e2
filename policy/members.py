"""Gives and takes roles. Pages, admin and commands call this, so that every change of a right is on record."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from policy import access, approvals, audit
from policy.actors import Actor
from policy.errors import Invalid
from policy.models import Approval, AuditRecord, Membership, Project
from policy.models.access import Role
from policy.models.approvals import ApprovalState

LATELY = timedelta(hours=1)


def grant(project: Project, user: User, role: str, *, by: Actor, reason: str = "") -> Membership:
    """Make somebody a member, or change the role. Granting the role that is held already changes nothing."""
    access.require(by, access.Permission.MANAGE, project)
    if role not in Role.values:
        raise Invalid(f"{role!r} is no role; choose one of {', '.join(Role.values)}.")
    if not user.is_active:
        raise Invalid("This person is deactivated and can't be given a role.")
    with transaction.atomic():
        held = Membership.objects.select_for_update().filter(project=project, user=user).first()
        if held and held.role == role:
            return held
        before, open_before = {"role": held.role} if held else {}, stranded(project)
        membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
        _record("member.changed" if held else "member.added", membership, by, reason, before, {"role": role})
        _tell_stranded(project, open_before, by)
    return membership


def remove(membership: Membership, *, by: Actor, reason: str = "") -> None:
    access.require(by, access.Permission.MANAGE, membership.project)
    with transaction.atomic():
        open_before = stranded(membership.project)
        removed, _ = Membership.objects.filter(pk=membership.pk).delete()
        if removed:
            _record("member.removed", membership, by, reason, {"role": membership.role}, {})
            _tell_stranded(membership.project, open_before, by)


def stranded(project: Project) -> set[Any]:
    """Open requests of the project that nobody is left to decide."""
    pending = Approval.objects.filter(project=project, state=ApprovalState.PENDING)
    return approvals.stranded(pending.values(*approvals.ASKED))


def was_given_lately(project: Project, user_id: int, now: datetime) -> bool:
    """Whether somebody's role here is of the last hour: given, used and taken again is how a right is borrowed."""
    changes = AuditRecord.objects.filter(at__gt=now - LATELY, action__in=("member.added", "member.changed"))
    return changes.filter(subject=_subject(project.pk, user_id)).exists()


def subject_of(membership: Membership) -> str:
    """By id: a person may be renamed, the record stays true."""
    return _subject(membership.project_id, membership.user_id)


def _subject(project_id: int, user_id: int) -> str:
    return f"member:{project_id}:{user_id}"


def _tell_stranded(project: Project, before: set[Any], by: Actor) -> None:
    for approval_id in sorted(stranded(project) - before, key=str):
        audit.append(
            "approval.no_eligible_approver",
            actor=by,
            project=project.slug,
            subject=f"approval:{approval_id}",
            reason="Nobody is left who may decide this; add an approver.",
        )


def _record(
    action: str, membership: Membership, by: Actor, reason: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    who = {"user": membership.user.get_username()}
    audit.append(
        action,
        actor=by,
        project=membership.project.slug,
        subject=subject_of(membership),
        before={**who, **before} if before else {},
        after={**who, **after} if after else {},
        reason=reason,
    )
