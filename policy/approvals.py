"""Who may decide, what they decided, and whether that is enough. The engine calls this inside its transaction.

Rights are looked at twice: when a decision is made, and again when the step starts. One person counts once, and
accounts with one e-mail address are one person. This never moves an approval's state: only the engine does.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower, Trim
from django.utils import timezone

from policy import access
from policy.actors import Actor
from policy.errors import (
    AlreadyDecided,
    HumanPresenceRequired,
    Invalid,
    NotAnApprover,
    NotPending,
    NotVisible,
    ReasonRequired,
    RecentSignInRequired,
    SelfApproval,
    StaleDigest,
)
from policy.models import Approval, Decision, Membership, Project
from policy.models.access import Role
from policy.models.approvals import ApprovalState, Level
from policy.models.audit import ActorKind

DEFAULT_APPROVERS = (f"role:{Role.APPROVER}",)
RECENT = timedelta(minutes=15)
LONGEST_REASON = 4000
ASKED = ("id", "project_id", "approvers", "quorum", "excluded")
VIA = {ActorKind.HUMAN: "session", ActorKind.TOKEN: "token", ActorKind.COMMAND: "command"}


@dataclass(frozen=True)
class ApprovalSpec:
    """What a gate asks for: `role:NAME`, `user:NAME` or `group:NAME`, and how many different people."""

    approvers: tuple[str, ...] = DEFAULT_APPROVERS
    level: str = Level.NORMAL
    quorum: int = 1

    @classmethod
    def of(cls, approval: Approval) -> ApprovalSpec:
        return cls(tuple(approval.approvers), approval.level, approval.quorum)


def eligible_users(spec: ApprovalSpec, project: Project, excluded: Collection[int] = ()) -> QuerySet[User]:
    """Active members who are named, less those who asked for it under this or another account of theirs.

    A role stands for itself and those above it. Being named alone is not enough: whoever does not belong to the
    project decides nothing in it.
    """
    people = _with_address(User.objects.filter(pk__in=access.members_with_role(project).values("pk")))
    asked = _with_address(User.objects.filter(pk__in=list(excluded))).exclude(address="")
    named = people.filter(_named(spec.approvers or DEFAULT_APPROVERS, project))
    return named.exclude(pk__in=list(excluded)).exclude(address__in=asked.values("address"))


def missing_eligible(spec: ApprovalSpec, project: Project, excluded: Collection[int] = ()) -> int:
    """How many more people the gate would need to be satisfiable at all; 0: it is."""
    return max(0, spec.quorum - len(_persons(eligible_users(spec, project, excluded))))


def stranded(asked: Iterable[Mapping[str, Any]]) -> set[Any]:
    """Which of these requests nobody is left to satisfy; of rows with the columns `ASKED`, a few statements for all."""
    known: dict[Any, int] = {}
    found = set()
    for row in asked:
        spec = ApprovalSpec(tuple(row["approvers"]), quorum=row["quorum"])
        who = (spec, row["project_id"], tuple(row["excluded"]))
        if who not in known:
            known[who] = missing_eligible(spec, Project(pk=row["project_id"]), row["excluded"])
        if known[who]:
            found.add(row["id"])
    return found


def check_may_decide(approval: Approval, actor: Actor, *, now: datetime | None = None) -> None:
    """Refuse by name, or return. Strangers learn nothing; who may not decide is told so before the state is."""
    _decider(approval, actor, now or timezone.now())


def record_decision(
    approval: Approval,
    *,
    actor: Actor,
    decision: str,
    reason: str,
    digest: str,
    now: datetime | None = None,
) -> Decision:
    """Write what one person said about exactly this digest. Call while holding the lock of what the approval is for."""
    now = now or timezone.now()
    user_id = _decider(approval, actor, now)
    if approval.expires_at is not None and approval.expires_at <= now:
        raise NotPending("The time to decide this is over.", state=ApprovalState.EXPIRED)
    if not hmac.compare_digest(digest.encode(), approval.digest.encode()):
        raise StaleDigest(digest=approval.digest)
    if decision not in ("approve", "reject"):
        raise Invalid("A decision is either approve or reject.")
    return Decision.objects.create(
        approval=approval,
        user_id=user_id,
        decision=decision,
        reason=_checked_reason(reason),
        digest=approval.digest,
        via=VIA[ActorKind(actor.kind)],
        at=now,
    )


def check_person(actor: Actor, excluded: Collection[int]) -> None:
    """For words that weigh as much as a decision: a person, present, who did not ask for it under any account."""
    if not actor.may_approve or actor.user_id is None:
        raise HumanPresenceRequired
    if _is_asker(actor.user_id, excluded):
        raise SelfApproval


def counted_decisions(approval: Approval) -> list[Decision]:
    """The approvals that hold now: of people who still have the right, on the present digest, one for each person."""
    eligible = eligible_users(ApprovalSpec.of(approval), approval.project, approval.excluded)
    held = Decision.objects.filter(
        approval=approval, decision="approve", digest=approval.digest, user__in=eligible.values("pk")
    )
    first: dict[str, Decision] = {}
    for decision in held.select_related("user").order_by("at", "pk"):
        first.setdefault(_person(decision.user.pk, decision.user.email), decision)
    return list(first.values())


def is_satisfied(approval: Approval) -> bool:
    return len(counted_decisions(approval)) >= approval.quorum


def _decider(approval: Approval, actor: Actor, now: datetime) -> int:
    if access.role_of(actor, approval.project) is None and actor.kind != ActorKind.SYSTEM:
        raise NotVisible
    check_person(actor, approval.excluded)
    assert actor.user_id is not None  # noqa: S101
    if (
        not eligible_users(ApprovalSpec.of(approval), approval.project, approval.excluded)
        .filter(pk=actor.user_id)
        .exists()
    ):
        raise NotAnApprover(_who_may(approval))
    if approval.level == Level.ELEVATED and not _signed_in_recently(actor, now):
        raise RecentSignInRequired
    if approval.state != ApprovalState.PENDING:
        raise NotPending(f"This is no longer waiting for a decision: it is {approval.state}.", state=approval.state)
    if _has_decided(approval, actor.user_id):
        raise AlreadyDecided
    return actor.user_id


def _named(approvers: Iterable[str], project: Project) -> Q:
    """An entry that names nothing known matches nobody."""
    wanted = Q(pk__in=[])
    for entry in approvers:
        kind, _, name = entry.partition(":")
        if kind == "role":
            wanted |= _holding(name, project)
        elif kind == "user":
            wanted |= Q(username=name)
        elif kind == "group":
            wanted |= Q(pk__in=User.objects.filter(groups__name=name).values("pk"))
    return wanted


def _holding(role: str, project: Project) -> Q:
    enough = access.at_least(role)
    held = Membership.objects.filter(project=project, user=OuterRef("pk"), role__in=enough)
    return Q(Exists(held)) | Q(is_superuser=True) if enough else Q(pk__in=[])


def _with_address(people: QuerySet[User]) -> QuerySet[Any]:
    return people.annotate(address=Lower(Trim("email")))


def _person(user_id: int, email: str) -> str:
    return email.strip().lower() or f"#{user_id}"


def _persons(people: QuerySet[User]) -> set[str]:
    return {_person(user_id, email) for user_id, email in people.values_list("pk", "email")}


def _is_asker(user_id: int, excluded: Collection[int]) -> bool:
    asked = User.objects.filter(pk__in=[*excluded, user_id]).values_list("pk", "email")
    persons = {pk: _person(pk, email) for pk, email in asked}
    return user_id in excluded or persons[user_id] in {persons[pk] for pk in excluded if pk in persons}


def _has_decided(approval: Approval, user_id: int) -> bool:
    decided = dict(approval.decisions.values_list("user_id", "user__email"))
    email = User.objects.values_list("email", flat=True).get(pk=user_id)
    return _person(user_id, email) in {_person(pk, address) for pk, address in decided.items()}


def _signed_in_recently(actor: Actor, now: datetime) -> bool:
    return actor.authenticated_at is not None and now - actor.authenticated_at <= RECENT


def _who_may(approval: Approval) -> str:
    return f"You are not among those who may decide this: {', '.join(approval.approvers or DEFAULT_APPROVERS)}."


def _checked_reason(reason: str) -> str:
    stripped = reason.strip()
    if not stripped:
        raise ReasonRequired
    if len(stripped) > LONGEST_REASON:
        raise Invalid(f"A reason has at most {LONGEST_REASON} characters.")
    return stripped.replace("\0", "\ufffd")
