"""What happened and what was left. Rows here are added, never changed."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from orchestration.models.attempt import ExecutionRun
from orchestration.models.run import StepRun, WorkflowRun


class Event(models.Model):
    """A line of a run's history. Numbers come from the run's row while it is locked: no gap, no repeat."""

    run = models.ForeignKey(WorkflowRun, on_delete=models.CASCADE, related_name="events", db_column="workflow_run_id")
    sequence_no = models.PositiveBigIntegerField()
    type = models.CharField(max_length=40)
    step_key = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    data = models.JSONField(default=dict)
    audit_sequence = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        db_table = "execution_workflow_events"
        ordering = ["sequence_no"]
        # The unique constraint is the plan's index (workflow_run_id, sequence_no).
        constraints = [models.UniqueConstraint(fields=["run", "sequence_no"], name="one_event_per_number")]

    def __str__(self) -> str:
        return f"{self.sequence_no} {self.type}"


STREAMS = [("stdout", "Output"), ("stderr", "Errors"), ("note", "Note"), ("agent", "Agent")]


class LogChunk(models.Model):
    """A batch of an attempt's output, redacted, at most 64 KiB. Offsets tile without gap or overlap."""

    attempt = models.ForeignKey(ExecutionRun, on_delete=models.CASCADE, related_name="log_chunks")
    offset = models.PositiveBigIntegerField(help_text="Bytes of stored text before this chunk.")
    size = models.PositiveIntegerField(help_text="Bytes of this chunk, as UTF-8.")
    first_line = models.PositiveBigIntegerField(help_text="Line breaks before this chunk.")
    stream = models.CharField(max_length=6, choices=STREAMS)
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "execution_logs"
        ordering = ["offset"]
        constraints = [models.UniqueConstraint(fields=["attempt", "offset"], name="one_chunk_per_offset")]

    def __str__(self) -> str:
        return f"{self.attempt_id} @{self.offset}"


class Artifact(models.Model):
    """A file that a step left; its bytes lie under their SHA-256."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(
        WorkflowRun, on_delete=models.CASCADE, related_name="artifacts", db_column="workflow_run_id"
    )
    step_run = models.ForeignKey(StepRun, on_delete=models.CASCADE, related_name="artifacts")
    attempt = models.ForeignKey(ExecutionRun, on_delete=models.CASCADE, related_name="artifacts")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=40)
    path = models.CharField(max_length=1000, blank=True)
    media_type = models.CharField(max_length=100, default="application/octet-stream")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    commit = models.CharField(max_length=64, blank=True)
    lineage = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "execution_step_artifacts"
        ordering = ["created_at", "name"]
        indexes = [
            models.Index(fields=["run", "created_at"], name="artifact_by_run"),
            models.Index(fields=["sha256"], name="artifact_by_content"),
        ]

    def __str__(self) -> str:
        return self.name


class Command(models.Model):
    """One outside request with an idempotency key, and the answer it got."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    operation = models.CharField(max_length=300)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "execution_commands"
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_command_per_key")]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"


class RunSeen(models.Model):
    """How far a person has read a run, for "since you last looked"."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(WorkflowRun, on_delete=models.CASCADE, related_name="+")
    sequence_no = models.PositiveBigIntegerField(default=0)
    at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "run"], name="one_mark_per_person_and_run")]

    def __str__(self) -> str:
        return f"{self.user_id} read {self.run_id} to {self.sequence_no}"
