"""Rules that an admin may add to the shipped ones."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from policy.models.access import Project


class Verdicts(models.TextChoices):
    """From the mildest to the strictest; the strictest that matches holds."""

    ALLOW = "allow", "Allow"
    REQUIRE_APPROVAL = "require_approval", "Require approval"
    REQUIRE_ELEVATED_APPROVAL = "require_elevated_approval", "Require elevated approval"
    DENY = "deny", "Deny"


class Risk(models.TextChoices):
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


class Rule(models.Model):
    """One version of one rule. An edit writes a new version; the old one stays for the record."""

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="rules", help_text="Empty: all projects."
    )
    name = models.SlugField(max_length=100)
    version = models.PositiveIntegerField(default=1)
    description = models.CharField(max_length=500)
    condition = models.CharField(max_length=4096, help_text="A CEL expression over the documented facts.")
    verdict = models.CharField(max_length=30, choices=Verdicts)
    risk = models.CharField(max_length=10, choices=Risk, default=Risk.LOW)
    approvers = models.JSONField(default=list, blank=True, help_text='Who may decide, as ["role:approver"].')
    enabled = models.BooleanField(default=True)
    current = models.BooleanField(default=True, help_text="The newest version of this rule.")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["project_id", "name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name", "version"], name="one_rule_per_version"),
            models.UniqueConstraint(
                fields=["name", "version"], condition=models.Q(project=None), name="one_global_rule_per_version"
            ),
            models.CheckConstraint(condition=models.Q(verdict__in=Verdicts.values), name="rule_verdict_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
