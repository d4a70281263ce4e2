"""Parts of a report that are read off events, artifacts and output: plans, retries, skips, commits, redactions.

Pure reads of what changes only together with an event: output of an open attempt is not looked at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from orchestration.models import LogChunk, StepRun, WorkflowRun
from orchestration.reading.plain import Data

MARK = re.compile(r"\[redacted:([A-Za-z0-9_. -]{1,100})\]")
RETRIES = ("step.retried", "step.retrying", "step.due")
SKIPS = ("step.skipped", "step.skip_asked", "step.condition_false")
PLANS = ("run.created", "run.replanned")
KINDS = frozenset((*RETRIES, *SKIPS, *PLANS))


def plan_versions(events: Iterable[Mapping[str, Any]]) -> list[Data]:
    """The plan that the run began with, and each that a replan put in its place."""
    return [
        {
            "version": event["data"].get("version"),
            "digest": event["data"].get("plan", ""),
            "at": event["at"],
            "by": event["actor"],
            "reason": event["data"].get("reason", "") if event["type"] == "run.replanned" else "",
            "kept": event["data"].get("kept", []),
        }
        for event in events
        if event["type"] in PLANS
    ]


def retries(events: Iterable[Mapping[str, Any]]) -> list[Data]:
    """By people, and those that the plan allows; a retry that people hastened counts as theirs."""
    return [
        {
            "step_key": event["step_key"],
            "at": event["at"],
            "by": event["actor"],
            "automatic": event["type"] == "step.retrying",
            "reason": event["data"].get("asked_reason") or event["data"].get("reason", ""),
        }
        for event in events
        if event["type"] in RETRIES and (event["type"] != "step.due" or event["data"].get("reason") == "retry_now")
    ]


def skips(events: Iterable[Mapping[str, Any]]) -> list[Data]:
    return [
        {
            "step_key": event["step_key"],
            "at": event["at"],
            "by": event["actor"],
            "what": {"step.skip_asked": "asked", "step.condition_false": "condition"}.get(event["type"], "skipped"),
            "reason": event["data"].get("asked_reason", ""),
            "evidence": event["data"].get("evidence", ""),
        }
        for event in events
        if event["type"] in SKIPS
    ]


def commits(run: WorkflowRun, artifacts: Iterable[Mapping[str, Any]]) -> list[Data]:
    """On the run's branch, one for each attempt that changed files; empty for a plain folder."""
    return [
        {
            "commit": one["commit"],
            "message": f"Run {run.number}: {one['step_key']}",
            "step_key": one["step_key"],
            "attempt": one["attempt"],
            **{name: int(one["lineage"].get(name, 0)) for name in ("files", "insertions", "deletions")},
        }
        for one in artifacts
        if one["kind"] == "diff"
    ]


def diff_stat(made: Iterable[Mapping[str, Any]]) -> Data:
    """Summed over the commits: a line that two steps changed counts twice."""
    found = list(made)
    return {name: sum(int(one[name]) for one in found) for name in ("files", "insertions", "deletions")}


def usage_by_model(steps: Iterable[Mapping[str, Any]]) -> list[Data]:
    """A cost of None is unknown, and so is every sum with it."""
    sums: dict[tuple[str, str], Data] = {}
    for attempt in (attempt for step in steps for attempt in step["attempts"] if attempt["provider"]):
        name = (attempt["provider"], attempt["model"])
        held = sums.setdefault(name, {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "attempts": 0})
        used, cost = attempt["usage"], attempt["usage"]["cost_usd"]
        held["input_tokens"] += used["input_tokens"]
        held["output_tokens"] += used["output_tokens"]
        held["attempts"] += 1
        known = held["cost_usd"] is not None and cost is not None
        held["cost_usd"] = round(held["cost_usd"] + cost, 8) if known else None
    return [{"provider": provider, "model": model, **held} for (provider, model), held in sorted(sums.items())]


def redactions(run: WorkflowRun) -> list[Data]:
    """How often a secret was kept out of what is stored, by its name: in output, outputs and errors."""
    found: Counter[str] = Counter()
    ended = LogChunk.objects.filter(attempt__run=run, attempt__finished_at__isnull=False, text__contains="[redacted:")
    texts = ended.order_by("attempt_id", "offset").values_list("text", flat=True)
    for text in texts.iterator(chunk_size=50):
        found.update(MARK.findall(text))
    for row in StepRun.objects.filter(run=run).values("error", "outputs"):
        found.update(MARK.findall(f"{row['error']} {row['outputs']}"))
    return [{"name": name, "count": count} for name, count in sorted(found.items())]
