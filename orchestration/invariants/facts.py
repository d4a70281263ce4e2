"""What the checks of one run are given: its rows as plain values, and the plan that they follow."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration import graph
from orchestration.graph import Graph


@dataclass(frozen=True, slots=True)
class RunRow:
    id: uuid.UUID
    number: int
    project_id: int
    feature_id: int
    workflow_id: uuid.UUID
    version_id: uuid.UUID
    feature__project_id: int
    workflow__project_id: int
    version__workflow_id: uuid.UUID
    state: str
    control: str
    admitted: bool
    generation: int
    last_sequence_no: int
    created_by_id: int
    workspace_path: str
    finished_at: datetime | None
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class StepRow:
    id: int
    run_id: uuid.UUID
    step__version__workflow_id: uuid.UUID
    generation: int
    step_index: int
    key: str
    type: str
    state: str
    risk: str
    token: int
    execution_run_id: uuid.UUID | None
    approval_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    id: uuid.UUID
    step_run_id: int
    run_id: uuid.UUID
    number: int
    token: int
    outcome: str
    owner: str
    handle: Any
    digest: str
    rules_version: str
    cwd: str
    env_names: Any
    started_at: datetime
    finished_at: datetime | None
    lease_expires_at: datetime | None
    log_size: int
    usage: Any


@dataclass(frozen=True, slots=True)
class DecisionRow:
    approval_id: uuid.UUID
    user_id: int
    decision: str
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    id: uuid.UUID
    project_id: int
    subject: str
    kind: str
    state: str
    digest: str
    rules_version: str
    quorum: int
    excluded: Any
    expires_at: datetime | None
    consumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    id: uuid.UUID
    run_id: uuid.UUID
    step_run_id: int
    attempt_id: uuid.UUID
    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    sequence: int
    run: str
    action: str
    outcome: str


@dataclass(frozen=True)
class PlanFacts:
    """One plan version, as its step and edge rows have it."""

    id: uuid.UUID
    created_at: datetime
    env: Mapping[str, Any]
    keys: tuple[str, ...]
    definitions: Mapping[str, Mapping[str, Any]]
    policies: Mapping[str, Mapping[str, Any]]
    edges: frozenset[tuple[str, str]]
    unknown_needs: tuple[tuple[str, str], ...]
    needs: Mapping[str, tuple[str, ...]]
    graph: Graph

    def is_forgiven(self, key: str) -> bool:
        return bool(self.definitions.get(key, {}).get("continue_on_error"))

    @classmethod
    def of(
        cls, row: tuple[uuid.UUID, datetime, Any], steps: Sequence[tuple[str, Any, Any]], edges: Sequence[Any]
    ) -> PlanFacts:
        keys = tuple(key for key, _, _ in steps)
        definitions = {key: definition for key, definition, _ in steps}
        wanted = [definitions[key].get("needs") for key in keys]
        unknown = tuple(
            (key, other)
            for key, names in zip(keys, wanted, strict=True)
            for other in names or ()
            if other not in definitions
        )
        known = [None if names is None else [name for name in names if name in definitions] for names in wanted]
        needs = graph.needs_of(keys, known)
        forgiven = frozenset(i for i, key in enumerate(keys) if definitions[key].get("continue_on_error"))
        return cls(
            id=row[0],
            created_at=row[1],
            env=row[2] if isinstance(row[2], dict) else {},
            keys=keys,
            definitions=definitions,
            policies={key: policy for key, _, policy in steps},
            edges=frozenset(edges),
            unknown_needs=unknown,
            needs={key: tuple(keys[other] for other in needs[place]) for place, key in enumerate(keys)},
            graph=Graph(needs, forgiven),
        )


@dataclass
class RunFacts:
    """Everything about one run but its events, which come as a stream (`history.History`)."""

    run: RunRow
    plan: PlanFacts
    steps: list[StepRow] = field(default_factory=list)
    attempts: dict[int, list[AttemptRow]] = field(default_factory=dict)  # by step run
    stray_attempts: list[AttemptRow] = field(default_factory=list)
    approvals: dict[str, list[ApprovalRow]] = field(default_factory=dict)  # by subject
    decisions: dict[uuid.UUID, list[DecisionRow]] = field(default_factory=dict)
    artifacts: list[ArtifactRow] = field(default_factory=list)
    audits: list[AuditRow] = field(default_factory=list)
    chunks: dict[uuid.UUID, tuple[int, int]] = field(default_factory=dict)

    @property
    def current(self) -> list[StepRow]:
        return [step for step in self.steps if step.state != "superseded"]

    def approvals_of(self, step: StepRow) -> list[ApprovalRow]:
        return self.approvals.get(f"step:{step.id}", [])

    def approval(self, text: str) -> ApprovalRow | None:
        found = (one for many in self.approvals.values() for one in many if str(one.id) == text)
        return next(found, None)

    def all_attempts(self) -> list[AttemptRow]:
        return [attempt for many in self.attempts.values() for attempt in many]
