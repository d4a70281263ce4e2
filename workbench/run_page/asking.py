"""Which decisions a run waits for, who may make them, and where the reader stands.

The words only tell what policy says; the decision itself is judged again when it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from policy import approvals
from policy.actors import Actor
from policy.errors import AlreadyDecided, NotAnApprover, PolicyError, RecentSignInRequired, SelfApproval
from policy.models import Approval
from workbench.run_page.view import RunView

Data = dict[str, Any]
# Each costs a few statements; beyond these the inbox lists them.
LOOKED_AT = 3


@dataclass(frozen=True)
class Asked:
    """One open request, and how the reader stands to it. `standing` is a sentence, or empty."""

    approval: Approval
    key: str
    name: str
    missing: int
    lacks: int  # people who would have to join for it to be decided at all
    may_decide: bool
    needs_password: bool
    standing: str

    @property
    def deciders(self) -> str:
        return people(self.approval.approvers)


def asked_of(view: RunView, limit: int = LOOKED_AT) -> list[Asked]:
    """Open requests of this run in plan order; those that the reader may decide come first."""
    waiting = {f"step:{row['id']}": row["key"] for row in view.rows if row["state"] == "awaiting_approval"}
    if not waiting:
        return []
    subjects = list(waiting)[:500]
    found = Approval.objects.filter(subject__in=subjects, state="pending").select_related("project", "requested_by")
    places = {subject: place for place, subject in enumerate(subjects)}
    ordered = sorted(found, key=lambda approval: (places[approval.subject], approval.requested_at))
    looked = [asked(view, approval, waiting[approval.subject]) for approval in ordered[:limit]]
    return sorted(looked, key=lambda one: not one.may_decide)


def asked(view: RunView, approval: Approval, key: str) -> Asked:
    may, password, words = standing(view.actor, approval, view.run.created_by_id)
    missing = max(0, approval.quorum - len(approvals.counted_decisions(approval)))
    lacks = lacking(approval) if approval.state == "pending" else 0
    return Asked(approval, key, view.name(key), missing, lacks, may, password, words)


def lacking(approval: Approval) -> int:
    spec = approvals.ApprovalSpec.of(approval)
    return approvals.missing_eligible(spec, approval.project, approval.excluded)


def standing(actor: Actor | None, approval: Approval, launcher: int) -> tuple[bool, bool, str]:
    """May decide, needs the password again, and the sentence that says so."""
    if actor is None or approval.state != "pending":
        return False, False, ""
    if approval.expires_at is not None and approval.expires_at <= timezone.now():
        return False, False, "The time to decide this is over."
    try:
        approvals.check_may_decide(approval, actor)
    except RecentSignInRequired:
        return True, True, "You can decide it."
    except SelfApproval:
        return False, False, _own(actor, approval, launcher)
    except AlreadyDecided:
        return False, False, "You have approved it already; it waits for others."
    except NotAnApprover:
        return False, False, "You are not among those who may decide it."
    except PolicyError as refusal:
        return False, False, str(refusal)
    return True, False, "You can decide it."


def _own(actor: Actor, approval: Approval, launcher: int) -> str:
    if actor.user_id == launcher:
        return "You launched this run, so you cannot decide."
    if approval.kind == "replan" and actor.user_id == approval.requested_by_id:
        return "You asked for this replan, so you cannot decide."
    if approval.kind == "skip" and actor.user_id == approval.requested_by_id:
        return "You asked for this skip, so you cannot decide."
    return "You edited this plan, so you cannot decide."


def people(approvers: Iterable[str]) -> str:
    """role:approver -> approvers, user:grace -> grace, group:leads -> members of leads."""
    return _or([_person(entry) for entry in approvers or approvals.DEFAULT_APPROVERS])


def _person(entry: str) -> str:
    kind, _, name = entry.partition(":")
    return {"role": f"{name}s", "group": f"members of {name}"}.get(kind, name)


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
