"""A decision asked of people, and what they decided.

An approval knows its subject by name and digest only: what it is about lies above this app.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django_fsm import FSMField, FSMModelMixin, transition

from policy.models.access import Project
from policy.models.append_only import AppendOnly
from policy.models.rules import Risk


class ApprovalState(models.TextChoices):
    PENDING = "pending", "Pending"  # -> approved, rejected, expired, superseded
    APPROVED = "approved", "Approved"  # -> consumed, revoked, superseded, expired
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"
    REVOKED = "revoked", "Revoked"
    SUPERSEDED = "superseded", "Superseded"
    CONSUMED = "consumed", "Used"  # the step it was for has started


class ApprovalKind(models.TextChoices):
    CHECKPOINT = "checkpoint", "Checkpoint"
    POLICY = "policy", "Policy"
    SKIP = "skip", "Skip"
    OVERRIDE = "override", "Override"
    REPLAN = "replan", "Replan"
    BUDGET = "budget", "Budget"


class Level(models.TextChoices):
    NORMAL = "normal", "Normal"
    ELEVATED = "elevated", "Elevated"


PENDING, APPROVED = ApprovalState.PENDING, ApprovalState.APPROVED


class Approval(FSMModelMixin, models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="approvals")
    # "step:<step run id>": several approvals over time, one subject.
    subject = models.CharField(max_length=100, db_index=True)
    call_id = models.CharField(max_length=100, blank=True, help_text="The agent's tool call, where it is one.")
    title = models.CharField(max_length=300)

    kind = models.CharField(max_length=12, choices=ApprovalKind)
    level = models.CharField(max_length=10, choices=Level, default=Level.NORMAL)
    state = FSMField(max_length=12, choices=ApprovalState, default=PENDING, protected=True)
    digest = models.CharField(max_length=64)
    facts = models.JSONField(default=dict, help_text="What the digest was computed over, for the difference.")

    risk = models.CharField(max_length=10, choices=Risk, default=Risk.LOW)
    reasons = models.JSONField(default=list)
    rules_version = models.CharField(max_length=64, blank=True)

    approvers = models.JSONField(default=list)
    quorum = models.PositiveIntegerField(default=1)
    # User ids that asked for this: launcher, last editor, who wants the skip. They never decide.
    excluded = models.JSONField(default=list)

    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    consumed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        indexes = [
            models.Index(fields=["project", "state", "-requested_at"], name="approval_inbox"),
            models.Index(fields=["state", "expires_at"], name="approval_due"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=ApprovalState.values), name="approval_state_known"),
            models.CheckConstraint(condition=models.Q(quorum__gte=1), name="approval_quorum_positive"),
        ]

    def __str__(self) -> str:
        return self.title

    @transition(state, source=PENDING, target=ApprovalState.APPROVED)
    def approve(self) -> None:
        """Enough distinct people have said yes to this digest."""

    @transition(state, source=PENDING, target=ApprovalState.REJECTED)
    def reject(self) -> None:
        """One who may decide has said no."""

    @transition(state, source=[PENDING, APPROVED], target=ApprovalState.EXPIRED)
    def expire(self) -> None:
        """Its time was over before it was used."""

    @transition(state, source=APPROVED, target=ApprovalState.REVOKED)
    def revoke(self) -> None:
        """Taken back, or the approver lost the right, before it was used."""

    @transition(state, source=[PENDING, APPROVED], target=ApprovalState.SUPERSEDED)
    def supersede(self) -> None:
        """What it was about has changed."""

    @transition(state, source=APPROVED, target=ApprovalState.CONSUMED)
    def consume(self) -> None:
        """The step it was for starts now; it counts for nothing else."""


class Decision(AppendOnly):
    """What one person said, inserted once and never changed."""

    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, related_name="decisions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions")
    decision = models.CharField(max_length=10, choices=[("approve", "Approve"), ("reject", "Reject")])
    reason = models.TextField(max_length=4000)
    digest = models.CharField(max_length=64)
    via = models.CharField(max_length=10, choices=[("session", "Session"), ("token", "Token"), ("command", "Command")])
    at = models.DateTimeField()

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["approval", "user"], name="one_decision_per_person")]

    def __str__(self) -> str:
        return f"{self.decision} by {self.user_id}"
