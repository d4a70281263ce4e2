"""What waits for one person's decision: the same rules as `approvals`, over many requests in a few statements.

Pages and the API list it. The word that counts is still `approvals.check_may_decide`, when the decision is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone

from policy import access
from policy.actors import Actor
from policy.approvals import DEFAULT_APPROVERS
from policy.models import Approval, Decision, Membership
from policy.models.access import Role
from policy.models.approvals import ApprovalState

AT_ONCE = 200
Place = tuple[datetime, UUID]
Row = TypeVar("Row", bound=Mapping[str, Any])


@dataclass(frozen=True)
class Decider:
    """One person, as far as approvals ask: names, roles by project, groups, address."""

    user_id: int
    username: str
    address: str
    is_superuser: bool
    roles: Mapping[int, str]
    groups: frozenset[str]

    @classmethod
    def of(cls, user_id: int) -> Decider | None:
        user = User.objects.filter(pk=user_id, is_active=True).first()
        if user is None:
            return None
        roles = dict(Membership.objects.filter(user=user).values_list("project_id", "role"))
        groups = frozenset(user.groups.values_list("name", flat=True))
        return cls(user.pk, user.get_username(), _address(user.email), user.is_superuser, roles, groups)

    def is_named(self, approvers: Sequence[str], project_id: int) -> bool:
        role = Role.ADMIN if self.is_superuser else self.roles.get(project_id)
        return role is not None and any(self._answers_to(entry, role) for entry in approvers or DEFAULT_APPROVERS)

    def _answers_to(self, entry: str, role: str) -> bool:
        kind, _, name = entry.partition(":")
        if kind == "role":
            return role in access.at_least(name)
        return (kind == "user" and name == self.username) or (kind == "group" and name in self.groups)


def pending(actor: Actor, now: datetime | None = None) -> QuerySet[Approval]:
    """Open requests of the actor's projects, newest first; whose they are is another matter."""
    in_time = Q(expires_at=None) | Q(expires_at__gt=now or timezone.now())
    visible = Approval.objects.filter(in_time, state=ApprovalState.PENDING, project__in=access.visible_projects(actor))
    return visible.order_by("-requested_at", "-id")


def waiting_for(actor: Actor, *columns: str, before: Place | None = None) -> Iterator[dict[str, Any]]:
    """Requests that this person may decide and has not, newest first; read in portions, so stop when it is enough."""
    decider = Decider.of(actor.user_id) if actor.user_id is not None else None
    needed = {*columns, "id", "project_id", "approvers", "excluded", "requested_at"}
    while decider is not None:
        portion = list(_older(pending(actor), before).values(*needed)[:AT_ONCE])
        yield from _of(decider, portion)
        if len(portion) < AT_ONCE:
            return
        before = (portion[-1]["requested_at"], portion[-1]["id"])


def count_waiting_for(actor: Actor) -> int:
    return sum(1 for _ in waiting_for(actor))


def _older(rows: QuerySet[Approval], before: Place | None) -> QuerySet[Approval]:
    if before is None:
        return rows
    at, pk = before
    return rows.filter(Q(requested_at__lt=at) | Q(requested_at=at, pk__lt=pk))


def _of(decider: Decider, portion: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    named = [row for row in portion if decider.is_named(row["approvers"], row["project_id"])]
    same_person = _accounts_of(decider)
    decided = set(
        Decision.objects.filter(approval__in=[row["id"] for row in named], user__in=same_person).values_list(
            "approval_id", flat=True
        )
    )
    return (row for row in named if row["id"] not in decided and not same_person & set(row["excluded"]))


def _accounts_of(decider: Decider) -> set[int]:
    """Accounts with one e-mail address are one person."""
    if not decider.address:
        return {decider.user_id}
    alike = User.objects.filter(email__icontains=decider.address).values_list("pk", "email")
    return {decider.user_id, *(pk for pk, email in alike if _address(email) == decider.address)}


def _address(email: str) -> str:
    return email.strip().lower()
