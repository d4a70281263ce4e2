"""What steps left, as data, with where it came from."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.models import Artifact, WorkflowRun
from orchestration.reading.lineage import lineages
from orchestration.reading.plain import Data, moment


def artifacts_data(run: WorkflowRun, found: Sequence[Artifact]) -> list[Data]:
    """Artifacts of one run, each with what it was made from and what rests on it by now."""
    lines = lineages(run, found)
    return [{**artifact_data(one), "lineage": lines[one.pk]} for one in found]


def artifact_data(artifact: Artifact) -> Data:
    """As it was stored. Needs `step_run` and `attempt` beside the row."""
    return {
        "id": str(artifact.pk),
        "name": artifact.name,
        "kind": artifact.kind,
        "path": artifact.path,
        "media_type": artifact.media_type,
        "sha256": artifact.sha256,
        "size": artifact.size,
        "commit": artifact.commit,
        "run_id": str(artifact.run_id),
        "step_key": artifact.step_run.key,
        "execution_run_id": str(artifact.attempt_id),
        "attempt": artifact.attempt.number,
        "lineage": artifact.lineage,
        "created_at": moment(artifact.created_at),
    }
