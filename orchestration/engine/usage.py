"""Sums of what agents used. An attempt counts its own part, the step all of its attempts, the run all of its steps.

A cost of None is unknown and stays so in every sum. Called while a run is being changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.engine.change import Change
from orchestration.models import ExecutionRun

Usage = Mapping[str, Any]
COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "turns", "tool_calls")


def of_checkpoint(checkpoint: Usage | None) -> dict[str, Any]:
    """What an agent had used when it saved this."""
    if not checkpoint:
        return {}
    used, usd = checkpoint["usage"], checkpoint["usd"]
    return {
        **{name: int(used.get(name, 0)) for name in COUNTS[:4]},
        "turns": int(checkpoint.get("turn", 0)),
        "tool_calls": int(checkpoint.get("tool_calls", 0)),
        "known": bool(used.get("known", True)),
        "cost_usd": None if usd is None else float(usd),
        "known_cost_usd": float(checkpoint["known_usd"]),
    }


def minus(total: Usage, before: Usage) -> dict[str, Any]:
    """The part of a growing sum that came after `before`."""
    if not total or not before:
        return dict(total)
    counts = {name: max(0, int(total.get(name, 0)) - int(before.get(name, 0))) for name in COUNTS}
    return {**total, **counts, **_costs(total, before, -1)}


def plus(one: Usage, other: Usage) -> dict[str, Any]:
    if not one or not other:
        return dict(one or other)
    counts = {name: int(one.get(name, 0)) + int(other.get(name, 0)) for name in COUNTS}
    known = bool(one.get("known", True) and other.get("known", True))
    return {**one, **other, **counts, **_costs(one, other, 1), "known": known}


def count(change: Change, usage: Usage) -> None:
    """Add a closed attempt's part to the run."""
    if not usage:
        return
    run = change.run
    change.set_run(
        input_tokens=run.input_tokens + int(usage.get("input_tokens", 0)),
        output_tokens=run.output_tokens + int(usage.get("output_tokens", 0)),
        cost_usd=_cost_of_run(change),
    )


def _cost_of_run(change: Change) -> float | None:
    attempts = ExecutionRun.objects.filter(run_id=change.run.pk, finished_at__isnull=False).exclude(provider="")
    costs = [found.get("cost_usd") for found in attempts.values_list("usage", flat=True) if found]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 6) if len(known) == len(costs) else None


def _costs(one: Usage, other: Usage, sign: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("cost_usd", "known_cost_usd"):
        a, b = one.get(name), other.get(name)
        found[name] = None if a is None or b is None else max(0.0, round(a + sign * b, 6))
    return found
