"""Shapes of answers, for the OpenAPI document; `reading` builds the data, tests hold both together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

RunStates = Literal["queued", "running", "blocked", "paused", "failed", "succeeded", "canceled"]
StepStates = Literal[
    "pending", "awaiting_approval", "ready", "running", "retry_wait", "interrupted", "succeeded", "failed", "skipped",
    "canceled", "superseded",
]  # fmt: skip
StepTypes = Literal["command", "sdk", "approval", "validation"]
Modes = Literal["simple", "orchestration"]
LogStreams = Literal["stdout", "stderr", "note", "agent"]
SyncStates = Literal["in_sync", "stale", "error"]
ApprovalStates = Literal["pending", "approved", "rejected", "expired", "revoked", "superseded", "consumed"]
ApprovalKinds = Literal["checkpoint", "policy", "skip", "override", "replan", "budget"]
Verdicts = Literal["allow", "require_approval", "require_elevated_approval", "deny"]
Risks = Literal["low", "medium", "high", "critical"]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Seconds = Annotated[float, Field(ge=0)]
Anything = dict[str, Any]


class Answered(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class Problem(Answered):
    """RFC 9457. `code` is the last part of `type`."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str
    code: str


class StateProblem(Problem):
    """The present state does not allow it. Of a run: its state, and what it does allow."""

    state: str | None
    allowed_actions: list[str]


class Fault(Answered):
    path: Annotated[str, Field(description="As in `steps[2].needs[0]`.")]
    message: str


class Invalid(Problem):
    errors: list[Fault]


class Reason(Answered):
    code: str
    message: str
    rule: str


class Policy(Answered):
    verdict: Verdicts
    risk: Risks
    reasons: list[Reason]
    approvers: list[str]
    rules_version: str


class Usage(Answered):
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class PlannedStep(Answered):
    key: str
    index: int
    type: StepTypes
    name: str
    policy: Policy


# `from` can't be written as a field of a class.
ENDS: Any = {"from": (str, ...), "to": (str, ...)}
Edge: Any = create_model("Edge", __base__=Answered, **ENDS)


class WorkflowLine(Answered):
    id: str
    version: int
    digest: str
    mode: Modes
    project: str
    feature: str
    name: str
    created_at: Moment
    created_by: str


class WorkflowSummary(WorkflowLine):
    step_count: int


class Workflow(WorkflowLine):
    description: str
    steps: list[PlannedStep]
    edges: list[Edge]
    plan: Anything
    version_created_at: Moment
    version_created_by: str


class Validation(Answered):
    valid: bool
    errors: list[Fault]
    steps: list[PlannedStep]
    edges: list[Edge]


class Decision(Answered):
    by: str
    decision: Literal["approve", "reject"]
    reason: str
    at: Moment
    digest: str
    via: str


class Approval(Answered):
    id: str
    state: ApprovalStates
    kind: ApprovalKinds
    level: Literal["normal", "elevated"]
    title: str
    digest: str
    risk: Risks
    reasons: list[Reason]
    rules_version: str
    approvers: list[str]
    quorum: int
    call_id: str | None
    requested_at: Moment
    requested_by: str | None
    expires_at: Moment | None
    decided_at: Moment | None
    consumed_at: Moment | None
    decisions: list[Decision]


class WaitingApproval(Approval):
    run_id: str | None
    run_number: int | None
    project: str | None
    feature: str | None
    workflow: str | None
    step_key: str | None
    step_type: StepTypes | None


class Check(Answered):
    name: str
    kind: str
    passed: bool
    required: bool
    message: str


class Step(Answered):
    key: str
    index: int
    name: str
    type: StepTypes
    needs: list[str]
    state: StepStates
    state_reason: str
    attempt: int
    risk: Risks
    policy: Policy
    started_at: Moment | None
    finished_at: Moment | None
    duration_seconds: Seconds | None
    due_at: Moment | None
    exit_code: int | None
    error: str
    outputs: Anything
    checks: list[Check]
    usage: Usage
    execution_run_id: str | None
    provider: str | None
    sync_status: SyncStates | None
    sync_error: str
    last_reconciled_at: Moment | None
    approval: Approval | None
    approvals: list[Approval]


class RunWorkflow(Answered):
    id: str
    version: int
    name: str
    digest: str


class Checkpoint(Answered):
    sequence_no: int
    at: Moment | None
    workspace_commit: str


class Workspace(Answered):
    kind: Literal["worktree", "folder"]
    branch: str
    base_commit: str


class RunBase(Answered):
    id: str
    number: int
    mode: Modes
    state: RunStates
    state_reason: str
    control: Literal["none", "pause", "cancel"]
    project: str
    feature: str
    workflow: RunWorkflow
    inputs: Anything
    created_by: str
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    deadline_at: Moment | None
    checkpoint: Checkpoint | None
    workspace: Workspace
    usage: Usage
    last_sequence_no: int


class RunLine(RunBase):
    allowed_actions: list[str]


class RunSummary(RunLine):
    step_counts: dict[str, int]


class Run(RunLine):
    current_step: str | None
    no_eligible_approver: list[str]
    steps: list[Step]


class OutputRead(Answered):
    name: str
    read_by: list[str]


class Impact(Answered):
    runs_again: list[str]
    reused: list[str]
    approvals_lapsing: list[str]
    repeats_once_effects: list[str]
    approvals_needed: list[str]
    outputs_read: list[OutputRead]
    files_changed_outside: list[str]
    expected_seconds: float | None
    expected_cost_usd: float | None
    digest: str


class Event(Answered):
    sequence_no: int
    type: str
    step_key: str | None
    at: Moment
    actor: str
    data: Anything
    audit_sequence: int | None


class Events(Answered):
    items: list[Event]
    next_after: int


class LogPart(Answered):
    attempt: int
    offset: int
    stream: LogStreams
    text: str
    at: Moment


class Log(Answered):
    items: list[LogPart]
    next_after: int


class Capabilities(Answered):
    streaming: bool
    cancel: bool
    resume: bool
    artifacts: bool
    background: bool
    structured_output: bool
    tools: bool


class ProviderSettings(Answered):
    """What counts in one project: its own settings, completed by the server's."""

    source: Literal["project", "environment", "built in"]
    base_url: str
    model: str
    key: Annotated[str, Field(description="Masked.")]
    foreground: bool
    problems: list[str]


class Provider(Answered):
    name: str
    label: str
    configured: bool
    simulated: bool
    capabilities: Capabilities
    settings: Annotated[ProviderSettings | None, Field(description="Where a project was named.")]


class Project(Answered):
    slug: str
    name: str
    role: Literal["viewer", "operator", "approver", "admin"]
    created_at: Moment


class Feature(Answered):
    slug: str
    project: str
    title: str
    status: str
    category: str
    description: str
    created_at: Moment
    updated_at: Moment


class Listing(Answered):
    next_cursor: str | None


class Workflows(Listing):
    items: list[WorkflowSummary]


class Runs(Listing):
    items: list[RunSummary]


class Approvals(Listing):
    items: list[WaitingApproval]


class Projects(Listing):
    items: list[Project]


class Features(Listing):
    items: list[Feature]


class Providers(Listing):
    items: list[Provider]
