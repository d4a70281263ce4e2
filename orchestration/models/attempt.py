"""One start of a step: the intent before the effect, and how it ended."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from orchestration.models.run import StepRun, WorkflowRun


class ExecutionRun(models.Model):
    """One attempt: inserted when a step starts, closed once. Every later write names its owner."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    step_run = models.ForeignKey(StepRun, on_delete=models.CASCADE, related_name="attempts")
    run = models.ForeignKey(WorkflowRun, on_delete=models.CASCADE, related_name="attempts", db_column="workflow_run_id")
    number = models.PositiveIntegerField()
    token = models.PositiveBigIntegerField()
    provider = models.CharField(max_length=40, blank=True)
    model = models.CharField(max_length=100, blank=True)

    outcome = models.CharField(
        max_length=12,
        blank=True,
        choices=[
            ("", "Open"),
            ("succeeded", "Succeeded"),
            ("failed", "Failed"),
            ("canceled", "Canceled"),
            ("interrupted", "Interrupted"),
            ("returned", "Never begun"),
            ("checkpoint", "Checkpointed"),
        ],
    )
    reason = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    owner = models.CharField(max_length=100)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    handle = models.JSONField(null=True, blank=True)
    checkpoint = models.JSONField(null=True, blank=True)

    digest = models.CharField(max_length=64, blank=True)
    rules_version = models.CharField(max_length=64, blank=True)
    cwd = models.CharField(max_length=4096, blank=True)
    env_names = models.JSONField(default=list)
    sandbox = models.CharField(max_length=12, blank=True)
    commit_before = models.CharField(max_length=64, blank=True)
    tree_before = models.CharField(max_length=64, blank=True)
    tree_after = models.CharField(max_length=64, blank=True)

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    # Where reading the raw output goes on after a restart, and what was stored beyond that place.
    log_state = models.JSONField(default=dict)
    log_size = models.PositiveBigIntegerField(default=0)
    log_lines = models.PositiveBigIntegerField(default=0)
    checks = models.JSONField(default=list)
    usage = models.JSONField(default=dict)
    extension = models.JSONField(default=dict)
    # Whether what is known here is what the provider knows; see engine.reconciling.
    sync_status = models.CharField(
        max_length=8,
        default="in_sync",
        choices=[("in_sync", "In sync"), ("stale", "Stale"), ("error", "Error")],
    )
    sync_error = models.CharField(max_length=500, blank=True)
    last_reconciled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "execution_runs"
        ordering = ["number"]
        indexes = [
            models.Index(fields=["lease_expires_at"], condition=Q(finished_at=None), name="attempt_open_by_lease"),
            models.Index(fields=["run", "started_at"], name="attempt_by_run"),
            models.Index(
                fields=["last_reconciled_at"],
                condition=Q(finished_at__isnull=False) & ~Q(sync_status="in_sync"),
                name="attempt_ended_out_of_sync",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["step_run", "number"], condition=~Q(outcome="returned"), name="one_attempt_per_number"
            ),
            models.UniqueConstraint(
                fields=["step_run"], condition=Q(finished_at=None), name="one_open_attempt_per_step"
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None, outcome="") | (Q(finished_at__isnull=False) & ~Q(outcome="")),
                name="closed_attempt_has_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=False) | Q(lease_expires_at__isnull=False),
                name="open_attempt_has_a_lease",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step_run_id} attempt {self.number}"
