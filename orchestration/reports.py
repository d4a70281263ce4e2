"""The report of a run: what ran, who decided what and why, what it cost, what it left.

A pure read of rows that change only together with an event: the same last event number gives the same bytes, so a
report can be compared, signed and quoted. No clock, no machine path, no log text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q

from orchestration import report_facts
from orchestration.models import Artifact, Event, ExecutionRun, StepRun, WorkflowRun, WorkflowVersion
from orchestration.reading import approvals, runs
from orchestration.reading.artifacts import artifact_data
from orchestration.reading.histories import EVENT_COLUMNS, event_data
from orchestration.reading.plain import Data, moment, policy, seconds, usage
from orchestration.report_text import as_html, as_markdown
from policy import audit
from policy.models import AuditRecord

VERSION = 1
ATTEMPT_COLUMNS = (
    "id", "step_run_id", "number", "token", "provider", "model", "outcome", "reason", "error", "digest",
    "rules_version", "cwd", "env_names", "sandbox", "tree_before", "tree_after", "started_at", "finished_at",
    "exit_code", "checks", "usage",
)  # fmt: skip
STEP_COLUMNS = (
    "id", "key", "step_index", "generation", "type", "state", "state_reason", "error", "risk", "verdict", "attempt",
    "digest", "started_at", "finished_at", "exit_code", "outputs", "step__name", "step__policy",
)  # fmt: skip


def report_of(run: WorkflowRun) -> Data:
    """The whole report as data, of one event number."""
    return runs.settled(run, _report)


def written(report: Mapping[str, Any], form: str) -> bytes:
    """As `json`, `md` or `html`; always the same bytes for the same report."""
    return WRITERS[form](report).encode("utf-8", "replace")


def _report(run: WorkflowRun) -> Data:
    rows = list(StepRun.objects.filter(run=run).order_by("generation", "step_index", "id").values(*STEP_COLUMNS))
    told = _steps(run, rows)
    told_of = _events(run).filter(Q(audit_sequence__isnull=False) | Q(type__in=report_facts.KINDS))
    seen = [event_data(row) for row in told_of.values(*EVENT_COLUMNS)]
    audited = [event for event in seen if event["audit_sequence"] is not None]
    artifacts = [_artifact(run, artifact) for artifact in _artifacts(run)]
    commits = report_facts.commits(run, artifacts)
    return {
        "report_version": VERSION,
        "run": _run(run),
        "plan_versions": report_facts.plan_versions(seen),
        "steps": [step for step in told if step["state"] != "superseded"],
        "superseded_steps": [step for step in told if step["state"] == "superseded"],
        "decisions": _decisions(told),
        "retries": report_facts.retries(seen),
        "skips": report_facts.skips(seen),
        "artifacts": artifacts,
        "commits": commits,
        "diff_stat": report_facts.diff_stat(commits),
        "usage_by_model": report_facts.usage_by_model(told),
        "redactions": report_facts.redactions(run),
        "actions": audited,
        "audit": _audit_range(event["audit_sequence"] for event in audited),
        "events": {"first": 1, "last": run.last_sequence_no},
    }


def _run(run: WorkflowRun) -> Data:
    told = runs.run_data(run)
    name, purpose = _plan_words(run)
    told["workflow"] = {**told["workflow"], "name": name}
    told["workspace"] = {**told["workspace"], "commit": run.workspace_commit}
    return {
        **told,
        "purpose": purpose,
        "duration_seconds": seconds(run.started_at, run.finished_at),
        "link": f"/projects/{run.project.slug}/runs/{run.number}/",
    }


def _plan_words(run: WorkflowRun) -> tuple[str, str]:
    """Name and description as the run's own version has them: the workflow may be called otherwise by now."""
    found = WorkflowVersion.objects.values_list("plan__name", "plan__description").get(pk=run.version_id)
    return str(found[0]), str(found[1] or "")


def _steps(run: WorkflowRun, rows: list[Data]) -> list[Data]:
    asked = approvals.by_step(row["id"] for row in rows)
    tried = _attempts(run)
    return [_step(run, row, asked.get(row["id"], []), tried.get(row["id"], [])) for row in rows]


def _step(run: WorkflowRun, row: Mapping[str, Any], asked: list[Data], attempts: list[Data]) -> Data:
    return {
        "key": row["key"],
        "index": row["step_index"],
        "name": row["step__name"],
        "type": row["type"],
        "state": row["state"],
        "state_reason": row["state_reason"],
        "error": row["error"],
        "risk": row["risk"],
        "policy": policy(row["verdict"] or row["step__policy"]),
        "digest": row["digest"],
        "started_at": moment(row["started_at"]),
        "finished_at": moment(row["finished_at"]),
        "duration_seconds": seconds(row["started_at"], row["finished_at"]),
        "exit_code": row["exit_code"],
        "outputs": row["outputs"],
        "attempts": attempts,
        "approvals": asked,
        "link": f"/projects/{run.project.slug}/runs/{run.number}/#step-{row['key']}",
    }


def _attempts(run: WorkflowRun) -> dict[int, list[Data]]:
    found: dict[int, list[Data]] = {}
    rows = ExecutionRun.objects.filter(run=run).order_by("started_at", "token", "id").values(*ATTEMPT_COLUMNS)
    for row in rows:
        found.setdefault(row.pop("step_run_id"), []).append(_attempt(row))
    return found


def _attempt(row: Data) -> Data:
    return {
        **row,
        "id": str(row["id"]),
        "outcome": row["outcome"] or "open",
        "started_at": moment(row["started_at"]),
        "finished_at": moment(row["finished_at"]),
        "duration_seconds": seconds(row["started_at"], row["finished_at"]),
        "usage": usage(row["usage"]),
    }


def _decisions(told: Iterable[Data]) -> list[Data]:
    """Every word that was said, in the order in which it was said, with what it was said about."""
    found = [
        {"step_key": step["key"], "approval_id": approval["id"], "kind": approval["kind"], **decision}
        for step in told
        for approval in step["approvals"]
        for decision in approval["decisions"]
    ]
    return sorted(found, key=lambda decision: (decision["at"], decision["by"], decision["approval_id"]))


def _artifacts(run: WorkflowRun) -> list[Artifact]:
    left = Artifact.objects.filter(run=run).select_related("step_run", "attempt")
    return list(left.order_by("created_at", "name", "id"))


def _artifact(run: WorkflowRun, artifact: Artifact) -> Data:
    return {
        **artifact_data(artifact),
        "link": f"/projects/{run.project.slug}/runs/{run.number}/artifacts/{artifact.pk}/",
    }


def _events(run: WorkflowRun) -> Any:
    return Event.objects.filter(run=run, sequence_no__lte=run.last_sequence_no).order_by("sequence_no")


def _audit_range(numbers: Iterable[int]) -> Data:
    """First and last record that tell of this run's changes, with the hash that stands for all before it."""
    known = sorted(numbers)
    if not known:
        return {"first": None, "last": None, "records": 0, "last_hash": "", "chain": "no records"}
    last_hash = AuditRecord.objects.filter(sequence=known[-1]).values_list("hash", flat=True).first() or ""
    chain = audit.verify_range(known[0], known[-1])
    return {
        "first": known[0],
        "last": known[-1],
        "records": len(known),
        "last_hash": last_hash,
        "chain": "whole" if chain.ok else chain.message,
    }


def _as_json(report: Mapping[str, Any]) -> str:
    return json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


WRITERS = {"json": _as_json, "md": as_markdown, "html": as_html}
