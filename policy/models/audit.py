"""The log that cannot be changed unnoticed: chained rows that the database itself refuses to alter."""

from __future__ import annotations

from django.db import models

from policy.models.append_only import AppendOnly


class ActorKind(models.TextChoices):
    HUMAN = "human", "Person"
    TOKEN = "token", "API token"
    COMMAND = "command", "Management command"
    SYSTEM = "system", "System"


class AuditRecord(AppendOnly):
    """Text only, no foreign keys: a record outlives the rows it tells of."""

    sequence = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150, help_text="User name, or the part of the system.")
    actor_id = models.CharField(max_length=40, blank=True)
    actor_kind = models.CharField(max_length=10, choices=ActorKind)
    credential = models.CharField(max_length=40, blank=True, help_text="Token prefix or a hash of the session.")
    action = models.CharField(max_length=60)
    outcome = models.CharField(max_length=10, choices=[("done", "Done"), ("refused", "Refused")], default="done")
    project = models.CharField(max_length=63, blank=True)
    run = models.CharField(max_length=40, blank=True)
    step = models.CharField(max_length=64, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    payload_digest = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-sequence"]
        indexes = [
            models.Index(fields=["project", "-sequence"], name="audit_by_project"),
            models.Index(fields=["run", "sequence"], name="audit_by_run"),
            models.Index(fields=["action", "-sequence"], name="audit_by_action"),
            models.Index(fields=["at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} by {self.actor}"


class AuditHead(models.Model):
    """The one row every append locks, last of all locks."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_audit_head")]

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash[:12]}"
