"""What steps left, as data, with where it came from."""

from __future__ import annotations

from orchestration.models import Artifact
from orchestration.reading.plain import Data, moment


def artifact_data(artifact: Artifact) -> Data:
    """Needs `step_run` and `attempt` beside the row."""
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
