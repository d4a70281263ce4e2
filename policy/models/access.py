"""Projects, their members, and the credentials that belong to them."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

SLUG = RegexValidator(r"\A[a-z0-9][a-z0-9-]{0,62}\Z", "Use lower-case letters, digits and hyphens, at most 63.")
SECRET_NAME = RegexValidator(r"\A[A-Z][A-Z0-9_]{0,63}\Z", "Use capital letters, digits and underscores, at most 64.")


class Role(models.TextChoices):
    """Each role may do what the ones before it may, and more."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    APPROVER = "approver", "Approver"
    ADMIN = "admin", "Admin"


class Project(models.Model):
    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    path = models.CharField(max_length=4096, help_text="The git repository or folder that runs work on.")
    # Recorded at registration: a path that was swapped for another folder is refused at the start.
    device = models.BigIntegerField(null=True, blank=True)
    inode = models.DecimalField(max_digits=20, decimal_places=0, null=True, blank=True)

    max_active_runs = models.PositiveIntegerField(default=100, validators=[MinValueValidator(1)])
    max_running_steps = models.PositiveIntegerField(default=100, validators=[MinValueValidator(1)])
    sandbox_required = models.BooleanField(default=False)
    allow_instructions = models.BooleanField(
        default=True, help_text="Agents may be given the repository's own instruction files."
    )
    budget_day_usd = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    budget_day_tokens = models.PositiveBigIntegerField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    # Goes up with every change of a rule that touches this project; read with the run's row at each start.
    rules_revision = models.PositiveBigIntegerField(default=1)
    # Hands out run numbers; changed only while a launch holds this row.
    last_run_number = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="one_membership_per_person"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.project_id} as {self.role}"


class ApiToken(models.Model):
    """A script's way in. Only a hash is kept; the prefix tells tokens apart on a page."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=12)
    token_hash = models.CharField(max_length=64, unique=True)
    may_approve = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user_id}"


class Secret(models.Model):
    """A value that steps get by name. Encrypted at rest; no page or answer shows it again."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=64, validators=[SECRET_NAME])
    ciphertext = models.BinaryField()
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_secret_per_name")]

    def __str__(self) -> str:
        return self.name


class EnvProfile(models.Model):
    """Variables and names of secrets that a step gets by naming the profile. Everybody in the project may read it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="env_profiles")
    name = models.CharField(max_length=64)
    env = models.JSONField(default=dict)
    secrets = models.JSONField(default=list)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_env_profile_per_name")]

    def __str__(self) -> str:
        return self.name
