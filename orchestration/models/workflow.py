"""A plan and its versions. A version never changes; an edit makes the next one."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from orchestration.models.feature import Feature
from policy.models import Project
from policy.models.rules import Risk


class Mode(models.TextChoices):
    SIMPLE = "simple", "Single run"
    ORCHESTRATION = "orchestration", "Orchestration"


class StepType(models.TextChoices):
    COMMAND = "command", "Command"
    SDK = "sdk", "Agent"
    APPROVAL = "approval", "Approval"
    VALIDATION = "validation", "Validation"


class Workflow(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="workflows")
    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, related_name="workflows")
    name = models.CharField(max_length=200)
    mode = models.CharField(max_length=15, choices=Mode, default=Mode.ORCHESTRATION)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "execution_workflows"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["project", "feature", "-created_at"], name="workflow_by_feature"),
            models.Index(fields=["project", "mode", "-created_at"], name="workflow_by_project"),
        ]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(models.Model):
    # Never given twice, not even after a rollback: what is known of a version is kept in memory under this.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    plan = models.JSONField(help_text="The whole plan, as validated.")
    digest = models.CharField(max_length=64)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "execution_workflow_versions"
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["workflow", "number"], name="one_version_per_number")]

    def __str__(self) -> str:
        return f"{self.workflow_id} v{self.number}"


class Step(models.Model):
    version = models.ForeignKey(WorkflowVersion, on_delete=models.CASCADE, related_name="steps")
    index = models.PositiveIntegerField()
    key = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    type = models.CharField(max_length=12, choices=StepType)
    provider = models.CharField(max_length=40, blank=True)
    definition = models.JSONField()
    policy = models.JSONField(default=dict, help_text="Verdict, risk and reasons when the version was saved.")
    risk = models.CharField(max_length=10, choices=Risk, default=Risk.LOW)

    class Meta:
        db_table = "execution_workflow_steps"
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(fields=["version", "key"], name="one_step_per_key"),
            models.UniqueConstraint(fields=["version", "index"], name="one_step_per_index"),
            models.CheckConstraint(condition=models.Q(type__in=StepType.values), name="step_type_known"),
        ]

    def __str__(self) -> str:
        return self.key


class Edge(models.Model):
    version = models.ForeignKey(WorkflowVersion, on_delete=models.CASCADE, related_name="edges")
    from_step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="outgoing")
    to_step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="incoming")

    class Meta:
        db_table = "execution_workflow_edges"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["from_step", "to_step"], name="one_edge_per_pair"),
            models.CheckConstraint(condition=~models.Q(from_step=models.F("to_step")), name="edge_not_to_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.from_step_id} -> {self.to_step_id}"
