"""Requests for a decision, and what was decided, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestration.models import StepRun
from orchestration.reading.plain import Data, moment, reasons
from policy import approvals
from policy.models import Approval, Decision

COLUMNS = (
    "id", "subject", "call_id", "title", "kind", "level", "state", "digest", "risk", "reasons", "rules_version",
    "approvers",
    "quorum", "requested_at", "requested_by__username", "expires_at", "decided_at", "consumed_at",
)  # fmt: skip


def by_step(step_run_ids: Iterable[int]) -> dict[int, list[Data]]:
    """All requests ever made for these step runs, oldest first: two statements."""
    subjects = {f"step:{pk}": pk for pk in step_run_ids}
    rows = list(
        Approval.objects.filter(subject__in=list(subjects)).order_by("requested_at", "id").values(*COLUMNS)
        if subjects
        else ()
    )
    decided = decisions_of(row["id"] for row in rows)
    found: dict[int, list[Data]] = {}
    for row in rows:
        found.setdefault(subjects[row["subject"]], []).append(approval_data(row, decided.get(row["id"], ())))
    return found


def open_requests(subjects: Iterable[str]) -> dict[Any, Data]:
    """Who is asked about these, by request."""
    wanted = list(subjects)
    rows = Approval.objects.filter(subject__in=wanted, state="pending").values("subject", *approvals.ASKED)
    return {row["id"]: dict(row) for row in rows} if wanted else {}


def decisions_of(approval_ids: Iterable[Any]) -> dict[Any, list[Data]]:
    wanted = list(approval_ids)
    found: dict[Any, list[Data]] = {}
    if not wanted:
        return found
    columns = ("approval_id", "user__username", "decision", "reason", "digest", "via", "at")
    for row in Decision.objects.filter(approval__in=wanted).order_by("at", "id").values(*columns):
        found.setdefault(row["approval_id"], []).append(_decision(row))
    return found


def approval_data(row: Mapping[str, Any], decisions: Sequence[Data]) -> Data:
    return {
        "id": str(row["id"]),
        "state": row["state"],
        "kind": row["kind"],
        "level": row["level"],
        "title": row["title"],
        "digest": row["digest"],
        "risk": row["risk"],
        "reasons": reasons(row["reasons"]),
        "rules_version": row["rules_version"],
        "approvers": list(row["approvers"]),
        "quorum": row["quorum"],
        "call_id": row["call_id"] or None,
        "requested_at": moment(row["requested_at"]),
        "requested_by": row["requested_by__username"],
        "expires_at": moment(row["expires_at"]),
        "decided_at": moment(row["decided_at"]),
        "consumed_at": moment(row["consumed_at"]),
        "decisions": list(decisions),
    }


def with_runs(rows: Sequence[Mapping[str, Any]]) -> list[Data]:
    """Approvals as a list shows them: each with the run and the step that it is for."""
    decided = decisions_of(row["id"] for row in rows)
    places = _places(row["subject"] for row in rows)
    nowhere = dict.fromkeys(("run_id", "run_number", "project", "feature", "workflow", "step_key", "step_type"))
    return [
        {
            **approval_data(row, decided.get(row["id"], ())),
            **nowhere,
            **places.get(row["subject"], {"project": row["project__slug"]}),
        }
        for row in rows
    ]


def _places(subjects: Iterable[str]) -> dict[str, Data]:
    wanted = [int(subject[5:]) for subject in subjects if subject.startswith("step:") and subject[5:].isdecimal()]
    columns = (
        "id", "key", "type", "run_id", "run__number", "run__project__slug", "run__feature__slug", "run__workflow__name",
    )  # fmt: skip
    rows = StepRun.objects.filter(pk__in=wanted).values(*columns) if wanted else ()
    return {
        f"step:{row['id']}": {
            "run_id": str(row["run_id"]),
            "run_number": row["run__number"],
            "project": row["run__project__slug"],
            "feature": row["run__feature__slug"],
            "workflow": row["run__workflow__name"],
            "step_key": row["key"],
            "step_type": row["type"],
        }
        for row in rows
    }


def _decision(row: Mapping[str, Any]) -> Data:
    return {
        "by": row["user__username"],
        "decision": row["decision"],
        "reason": row["reason"],
        "at": moment(row["at"]),
        "digest": row["digest"],
        "via": row["via"],
    }
