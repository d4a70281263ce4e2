"""Where artifacts come from and what rests on them, from what is stored: plan, steps, documents, other artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from orchestration.engine.image import PlanImage, plan_image
from orchestration.models import Artifact, Document, WorkflowRun
from orchestration.reading.plain import Data

Left = Mapping[str, list[Data]]  # what each step left, by its key


def lineages(run: WorkflowRun, found: Sequence[Artifact]) -> dict[UUID, Data]:
    """Of each artifact of this run. Needs `step_run` beside the rows."""
    plan, left, origin = plan_image(run.version_id), _left(run), _origin(run)
    return {
        one.pk: {
            **one.lineage,
            **origin,
            "made_from": _nearest(plan, plan.graph.needs, left, one.step_run.key),
            "used_by": _nearest(plan, plan.graph.dependants, left, one.step_run.key),
        }
        for one in found
    }


def _origin(run: WorkflowRun) -> Data:
    documents = Document.objects.filter(feature_id=run.feature_id).order_by("path")
    return {
        "project": run.project.slug,
        "feature": run.feature.slug,
        "run_number": run.number,
        "workflow": {"id": str(run.workflow_id), "version": run.version.number, "digest": run.version.digest},
        "base_commit": run.base_commit,
        "documents": list(documents.values("path", "title", "digest")),
    }


def _left(run: WorkflowRun) -> Left:
    left: dict[str, list[Data]] = {}
    rows = Artifact.objects.filter(run=run).order_by("created_at", "name")
    for pk, name, sha256, key in rows.values_list("pk", "name", "sha256", "step_run__key"):
        left.setdefault(key, []).append({"id": str(pk), "name": name, "sha256": sha256, "step_key": key})
    return left


def _nearest(plan: PlanImage, beside: Sequence[Sequence[int]], left: Left, key: str) -> list[Data]:
    """What the steps on one side left; behind one that left nothing, such as an approval, those behind it."""
    start = plan.place.get(key)
    waiting = [] if start is None else list(beside[start])
    seen, found = set(waiting), []
    while waiting:
        place = waiting.pop()
        if entries := left.get(plan.keys[place]):
            found.append((place, entries))
            continue
        waiting += [other for other in beside[place] if other not in seen]
        seen.update(beside[place])
    return [entry for _, entries in sorted(found, key=lambda pair: pair[0]) for entry in entries]
