"""How a project reaches its agent providers, and what its agents have used.

Settings hold a key as ciphertext only. The ledger is only ever added to: a reservation before a call, the use after
it, and what an approval added to a budget.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from orchestration.models.attempt import ExecutionRun
from orchestration.models.run import StepRun, WorkflowRun
from policy.models import Project
from policy.models.append_only import AppendOnly


class ProviderSettings(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="provider_settings")
    provider = models.CharField(max_length=40)
    base_url = models.CharField(max_length=500, blank=True)
    model = models.CharField(max_length=100, blank=True)
    key_ciphertext = models.BinaryField(default=b"", blank=True)
    foreground = models.BooleanField(default=False, help_text="For servers without background responses.")
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "execution_provider_settings"
        ordering = ["provider"]
        constraints = [models.UniqueConstraint(fields=["project", "provider"], name="one_setting_per_provider")]

    def __str__(self) -> str:
        return f"{self.provider} of {self.project_id}"


class LedgerKind(models.TextChoices):
    RESERVED = "reserved", "Reserved"  # counts while its attempt is open and nothing was recorded under its key
    USED = "used", "Used"
    EXTENDED = "extended", "Extended"  # an approved request for more: what it adds to a limit


class LedgerScope(models.TextChoices):
    STEP = "step", "Step"
    RUN = "run", "Run"
    DAY = "day", "Project and day"


class BudgetLedger(AppendOnly):
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(WorkflowRun, on_delete=models.CASCADE, related_name="+", db_column="workflow_run_id")
    step_run = models.ForeignKey(StepRun, on_delete=models.CASCADE, related_name="+")
    attempt = models.ForeignKey(ExecutionRun, on_delete=models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=8, choices=LedgerKind)
    scope = models.CharField(max_length=4, choices=LedgerScope, blank=True, help_text="Of an extension.")
    key = models.CharField(max_length=250, help_text="The turn, or the approval of an extension.")
    tokens = models.PositiveBigIntegerField(default=0)
    usd = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True, help_text="None: not known.")
    waives_usd = models.BooleanField(default=False, help_text="Go on though nobody can tell the price.")
    at = models.DateTimeField()

    class Meta:
        db_table = "execution_budget_ledger"
        ordering = ["at", "id"]
        indexes = [
            models.Index(fields=["project", "at"], name="ledger_by_day"),
            models.Index(fields=["run"], name="ledger_by_run"),
            models.Index(fields=["step_run"], name="ledger_by_step"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["key", "kind"], name="one_ledger_row_per_key"),
            models.CheckConstraint(condition=Q(kind__in=LedgerKind.values), name="ledger_kind_known"),
            models.CheckConstraint(
                condition=Q(kind="extended", scope__in=LedgerScope.values) | (~Q(kind="extended") & Q(scope="")),
                name="ledger_extension_has_a_scope",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
