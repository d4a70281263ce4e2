"""The shape of a report, for the OpenAPI document; `reports` builds the data."""

from __future__ import annotations

from orchestration.api.answers import (
    Answered,
    Anything,
    Approval,
    ApprovalKinds,
    Check,
    Decision,
    Event,
    Moment,
    Policy,
    Risks,
    RunBase,
    Seconds,
    StepStates,
    StepTypes,
    Usage,
    Workspace,
)
from orchestration.api.artifact_answers import ArtifactBase


class Attempt(Answered):
    id: str
    number: int
    token: int
    provider: str
    model: str
    outcome: str
    reason: str
    error: str
    digest: str
    rules_version: str
    cwd: str
    env_names: list[str]
    sandbox: str
    tree_before: str
    tree_after: str
    started_at: Moment
    finished_at: Moment | None
    duration_seconds: Seconds | None
    exit_code: int | None
    checks: list[Check]
    usage: Usage


class ReportedStep(Answered):
    key: str
    index: int
    name: str
    type: StepTypes
    state: StepStates
    state_reason: str
    error: str
    risk: Risks
    policy: Policy
    digest: str
    started_at: Moment | None
    finished_at: Moment | None
    duration_seconds: Seconds | None
    exit_code: int | None
    outputs: Anything
    attempts: list[Attempt]
    approvals: list[Approval]
    link: str


class ReportedWorkspace(Workspace):
    commit: str


class ReportedRun(RunBase):
    purpose: str
    workspace: ReportedWorkspace
    duration_seconds: Seconds | None
    link: str


class ReportedDecision(Decision):
    step_key: str
    approval_id: str
    kind: ApprovalKinds


class ReportedArtifact(ArtifactBase):
    lineage: Anything
    link: str


class AuditRange(Answered):
    first: int | None
    last: int | None
    records: int
    last_hash: str
    chain: str


class PlanVersion(Answered):
    version: int | None
    digest: str
    at: Moment
    by: str
    reason: str
    kept: list[str]


class Retry(Answered):
    step_key: str
    at: Moment
    by: str
    automatic: bool
    reason: str


class Skip(Answered):
    step_key: str
    at: Moment
    by: str
    what: str
    reason: str
    evidence: str


class DiffStat(Answered):
    files: int
    insertions: int
    deletions: int


class Commit(DiffStat):
    commit: str
    message: str
    step_key: str
    attempt: int


class ModelUsage(Usage):
    provider: str
    model: str
    attempts: int


class Redaction(Answered):
    name: str
    count: int


class EventRange(Answered):
    first: int
    last: int


class Report(Answered):
    report_version: int
    run: ReportedRun
    plan_versions: list[PlanVersion]
    steps: list[ReportedStep]
    superseded_steps: list[ReportedStep]
    decisions: list[ReportedDecision]
    retries: list[Retry]
    skips: list[Skip]
    artifacts: list[ReportedArtifact]
    commits: list[Commit]
    diff_stat: DiffStat
    usage_by_model: list[ModelUsage]
    redactions: list[Redaction]
    actions: list[Event]
    audit: AuditRange
    events: EventRange
