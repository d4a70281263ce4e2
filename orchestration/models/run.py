"""The execution of a plan: run, step runs, attempts. Only the engine moves their states.

Each arrow is a guarded django-fsm move; `custom["event"]` names the event that tells of it,
so the table of transitions and the history can be held against each other.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_fsm import RETURN_VALUE, FSMField, FSMModelMixin, transition

from orchestration.models.feature import Feature
from orchestration.models.workflow import Mode, Step, StepType, Workflow, WorkflowVersion
from policy.models import Approval, Project
from policy.models.rules import Risk


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    BLOCKED = "blocked", "Blocked"
    PAUSED = "paused", "Paused"
    FAILED = "failed", "Failed"
    SUCCEEDED = "succeeded", "Succeeded"  # final
    CANCELED = "canceled", "Canceled"  # final


FINAL_RUN_STATES = frozenset({RunState.SUCCEEDED, RunState.CANCELED})


class Control(models.TextChoices):
    NONE = "none", "None"
    PAUSE = "pause", "Pause"
    CANCEL = "cancel", "Cancel"


class StepState(models.TextChoices):
    PENDING = "pending", "Waiting for earlier steps"
    AWAITING_APPROVAL = "awaiting_approval", "Needs a decision"
    READY = "ready", "Ready"
    RUNNING = "running", "Running"
    RETRY_WAIT = "retry_wait", "Waits to retry"
    INTERRUPTED = "interrupted", "Interrupted"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"
    CANCELED = "canceled", "Canceled"
    SUPERSEDED = "superseded", "Replaced"


PENDING, AWAITING, READY, RUNNING = StepState.PENDING, StepState.AWAITING_APPROVAL, StepState.READY, StepState.RUNNING
RETRY_WAIT, INTERRUPTED = StepState.RETRY_WAIT, StepState.INTERRUPTED
SUCCEEDED, FAILED, SKIPPED = StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED
CANCELED, SUPERSEDED = StepState.CANCELED, StepState.SUPERSEDED

GOOD = frozenset({SUCCEEDED, SKIPPED})
SETTLED = frozenset({SUCCEEDED, FAILED, SKIPPED, CANCELED, SUPERSEDED})


class WorkflowRun(FSMModelMixin, models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="runs")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT, related_name="runs")
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="runs")
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="runs")
    number = models.PositiveIntegerField()
    mode = models.CharField(max_length=15, choices=Mode, default=Mode.ORCHESTRATION)
    inputs = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # User ids of launcher and whoever edited or replanned the plan: they never decide its gates.
    authors = models.JSONField(default=list)

    state = FSMField(max_length=10, choices=RunState, default=RunState.QUEUED, protected=True)
    state_reason = models.CharField(max_length=40, blank=True)
    control = models.CharField(max_length=6, choices=Control, default=Control.NONE)
    admitted = models.BooleanField(default=False)
    generation = models.PositiveIntegerField(default=1)
    last_sequence_no = models.PositiveBigIntegerField(default=0)

    # The workspace: a git worktree of the project's repository, or the folder itself.
    workspace_kind = models.CharField(
        max_length=10, choices=[("worktree", "Git worktree"), ("folder", "Folder")], default="folder"
    )
    workspace_path = models.CharField(max_length=4096, blank=True)
    branch = models.CharField(max_length=300, blank=True)
    base_commit = models.CharField(max_length=64, blank=True)
    workspace_commit = models.CharField(max_length=64, blank=True)
    workspace_tree = models.CharField(max_length=64, blank=True)
    workspace_head = models.CharField(max_length=64, blank=True, help_text="Empty: not known, and not compared.")
    # The files must be brought back to workspace_commit before anything starts.
    restore_pending = models.BooleanField(default=False)
    checkpoint_sequence_no = models.PositiveBigIntegerField(null=True, blank=True)
    checkpoint_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)

    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)

    class Meta:
        db_table = "execution_workflow_runs"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["project", "feature", "-created_at"], name="run_by_feature"),
            models.Index(fields=["project", "-created_at"], name="run_by_project"),
            models.Index(fields=["workflow", "-created_at"], name="run_by_workflow"),
            models.Index(
                fields=["project", "state", "-created_at"],
                name="run_by_state",
            ),
            models.Index(
                fields=["created_at"],
                condition=~Q(state__in=["succeeded", "canceled"]),
                name="run_unfinished",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="one_run_per_number"),
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state_known"),
            models.CheckConstraint(condition=Q(control__in=Control.values), name="run_control_known"),
            models.CheckConstraint(
                condition=Q(state__in=["succeeded", "canceled", "failed"]) | Q(finished_at=None),
                name="run_finished_only_at_an_end",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_RUN_STATES

    @transition(
        state,
        source=[s for s in RunState.values if s not in FINAL_RUN_STATES],
        target=RETURN_VALUE(*RunState.values),
        custom={"event": "run.{to}"},
    )
    def follow(self, computed: str) -> str:
        """The state is a function of the steps; this writes what the function says."""
        return computed


class StepRun(FSMModelMixin, models.Model):
    run = models.ForeignKey(
        WorkflowRun, on_delete=models.CASCADE, related_name="step_runs", db_column="workflow_run_id"
    )
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="runs")
    generation = models.PositiveIntegerField(default=1)
    step_index = models.PositiveIntegerField()
    key = models.CharField(max_length=64)
    type = models.CharField(max_length=12, choices=StepType)

    state = FSMField(max_length=20, choices=StepState, default=PENDING, protected=True)
    state_reason = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True, help_text="A sentence for people; never a secret.")
    risk = models.CharField(max_length=10, choices=Risk, default=Risk.LOW)
    verdict = models.JSONField(default=dict)

    # Attempts count up for ever; a manual retry begins a new series with its own automatic retries.
    attempt = models.PositiveIntegerField(default=0)
    series_start = models.PositiveIntegerField(default=0)
    losses = models.PositiveIntegerField(default=0)
    token = models.PositiveBigIntegerField(default=0)
    execution_run = models.ForeignKey(
        "ExecutionRun", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, null=True, blank=True, related_name="step_runs")
    digest = models.CharField(max_length=64, blank=True)

    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    outputs = models.JSONField(default=dict)
    checks = models.JSONField(default=list)
    usage = models.JSONField(default=dict)

    class Meta:
        db_table = "execution_step_runs"
        ordering = ["step_index"]
        indexes = [
            models.Index(fields=["run", "step_index"], name="step_run_by_index"),
            models.Index(fields=["due_at"], condition=Q(state="retry_wait"), name="step_run_due"),
            models.Index(fields=["run"], condition=Q(state="ready"), name="step_run_ready"),
            models.Index(fields=["run"], condition=Q(state="running"), name="step_run_running"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "key"], condition=~Q(state="superseded"), name="one_current_step_run_per_key"
            ),
            models.CheckConstraint(condition=Q(state__in=StepState.values), name="step_run_state_known"),
            models.CheckConstraint(
                condition=~Q(state="awaiting_approval") | Q(approval__isnull=False), name="awaiting_has_an_approval"
            ),
            models.CheckConstraint(
                condition=~Q(state="running") | Q(execution_run__isnull=False), name="running_has_an_attempt"
            ),
            models.CheckConstraint(condition=~Q(state="retry_wait") | Q(due_at__isnull=False), name="retry_has_a_time"),
        ]

    def __str__(self) -> str:
        return self.key

    @transition(state, source=PENDING, target=READY, custom={"event": "step.opened"})
    def open(self) -> None:
        """Needs are good, the verdict allows it, no gate."""

    @transition(state, source=PENDING, target=AWAITING, custom={"event": "step.gated"})
    def gate(self) -> None:
        """A decision is asked before it may start."""

    @transition(state, source=PENDING, target=RETURN_VALUE(SUCCEEDED, FAILED), custom={"event": "step.settled"})
    def settle(self, target: str) -> str:
        """Needs no outside work: its result is known within the change itself."""
        return target

    @transition(state, source=PENDING, target=SKIPPED, custom={"event": "step.condition_false"})
    def skip_by_condition(self) -> None:
        """Its `when` is false."""

    @transition(state, source=[PENDING, AWAITING, READY, RETRY_WAIT], target=FAILED, custom={"event": "step.denied"})
    def deny(self) -> None:
        """The present rules forbid it."""

    @transition(state, source=AWAITING, target=RETURN_VALUE(READY, SUCCEEDED), custom={"event": "step.approved"})
    def approved(self) -> str:
        """Enough people said yes; an approval step is done by that."""
        return SUCCEEDED if self.type == StepType.APPROVAL else READY

    @transition(state, source=AWAITING, target=RETURN_VALUE(FAILED, SKIPPED), custom={"event": "step.rejected"})
    def rejected(self, target: str = FAILED) -> str:
        """Someone who may decide said no."""
        return target

    @transition(state, source=AWAITING, target=FAILED, custom={"event": "step.expired"})
    def expire(self) -> None:
        """Nobody decided in time, and the plan says that this is a failure."""

    @transition(state, source=READY, target=AWAITING, custom={"event": "step.lapsed"})
    def lapse(self) -> None:
        """What was approved is not what would start now."""

    @transition(state, source=AWAITING, target=PENDING, custom={"event": "step.rechecked"})
    def recheck(self) -> None:
        """What it waited for beside itself, its files or a replan, is settled; its own gate is formed afresh."""

    @transition(state, source=[PENDING, READY, AWAITING], target=AWAITING, custom={"event": "step.replan_asked"})
    def ask_replan(self) -> None:
        """A replan that touches what is guarded waits, here, for an elevated approval."""

    @transition(state, source=READY, target=RUNNING, custom={"event": "step.started"})
    def start(self) -> None:
        """The intent is on record; the effect comes after the commit."""

    @transition(state, source=RUNNING, target=READY, custom={"event": "step.returned"})
    def give_back(self) -> None:
        """Proven that nothing was begun."""

    @transition(state, source=RUNNING, target=SUCCEEDED, custom={"event": "step.succeeded"})
    def complete(self) -> None:
        """Done, with outputs and artifacts stored."""

    @transition(state, source=RUNNING, target=RETRY_WAIT, custom={"event": "step.retrying"})
    def retry_later(self) -> None:
        """A known failure, or a loss that is safe to repeat, with attempts left."""

    @transition(state, source=RUNNING, target=FAILED, custom={"event": "step.failed"})
    def fail(self) -> None:
        """A known failure, no attempt left."""

    @transition(state, source=RUNNING, target=INTERRUPTED, custom={"event": "step.interrupted"})
    def interrupt(self) -> None:
        """It was started, and nobody knows how it ended."""

    @transition(state, source=RUNNING, target=AWAITING, custom={"event": "step.checkpointed"})
    def checkpoint(self) -> None:
        """An agent saved where it is and waits for a decision."""

    @transition(state, source=RETRY_WAIT, target=READY, custom={"event": "step.due"})
    def due(self) -> None:
        """The waiting time is over."""

    @transition(state, source=[FAILED, INTERRUPTED, CANCELED], target=PENDING, custom={"event": "step.retried"})
    def retry(self) -> None:
        """A person wants it again; gates are formed afresh."""

    @transition(state, source=INTERRUPTED, target=RETURN_VALUE(SUCCEEDED, FAILED), custom={"event": "step.resolved"})
    def resolve(self, target: str) -> str:
        """A person looked and says how it ended."""
        return target

    @transition(
        state,
        source=[PENDING, READY, AWAITING, RETRY_WAIT, FAILED, INTERRUPTED],
        target=SKIPPED,
        custom={"event": "step.skipped"},
    )
    def skip(self) -> None:
        """A person did it otherwise, or it is not needed."""

    @transition(
        state,
        source=[FAILED, INTERRUPTED, PENDING, RETRY_WAIT, READY, AWAITING],
        target=AWAITING,
        custom={"event": "step.skip_asked"},
    )
    def ask_skip(self) -> None:
        """The skip itself waits for an elevated approval."""

    @transition(
        state,
        source=AWAITING,
        target=RETURN_VALUE(PENDING, FAILED, INTERRUPTED),
        custom={"event": "step.skip_refused"},
    )
    def refuse_skip(self, before: str) -> str:
        """The skip was rejected: the step is back where it was, with its gates formed afresh if it had not run."""
        return before if before in (FAILED, INTERRUPTED) else PENDING

    @transition(state, source=FAILED, target=AWAITING, custom={"event": "step.override_asked"})
    def ask_override(self) -> None:
        """The rules forbid it; that it runs all the same waits for an elevated approval."""

    @transition(state, source=AWAITING, target=FAILED, custom={"event": "step.override_refused"})
    def refuse_override(self) -> None:
        """Nobody, or not enough people, wanted the rules stepped over."""

    @transition(
        state,
        source=[PENDING, AWAITING, READY, RUNNING, RETRY_WAIT, INTERRUPTED],
        target=CANCELED,
        custom={"event": "step.canceled"},
    )
    def cancel(self) -> None:
        """The run is canceled; work that ran has ended."""

    @transition(
        state,
        source=[s for s in StepState.values if s not in (RUNNING, SUPERSEDED)],
        target=SUPERSEDED,
        custom={"event": "step.superseded"},
    )
    def supersede(self) -> None:
        """A replan put another step in its place."""
