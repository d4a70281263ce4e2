"""Shapes of what steps left, with what each was made from and what rests on it."""

from __future__ import annotations

from pydantic import ConfigDict

from orchestration.api.answers import Answered, Listing, Moment


class ArtifactLine(Answered):
    id: str
    name: str
    sha256: str
    step_key: str


class DocumentLine(Answered):
    path: str
    title: str
    digest: str


class PlanLine(Answered):
    id: str
    version: int
    digest: str


class Lineage(Answered):
    """Of a diff, what it changed stands here, too."""

    model_config = ConfigDict(extra="allow")
    project: str
    feature: str
    run_number: int
    workflow: PlanLine
    base_commit: str
    documents: list[DocumentLine]
    made_from: list[ArtifactLine]
    used_by: list[ArtifactLine]


class ArtifactBase(Answered):
    id: str
    name: str
    kind: str
    path: str
    media_type: str
    sha256: str
    size: int
    commit: str
    run_id: str
    step_key: str
    execution_run_id: str
    attempt: int
    created_at: Moment


class Artifact(ArtifactBase):
    lineage: Lineage


class Artifacts(Listing):
    items: list[Artifact]
