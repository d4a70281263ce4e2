"""What a replan takes away or brings in: checkpoints and risky steps that it touches, and steps that slip past a gate.

Pure. A new risky step has its own gate beside this; what nobody would ask about any more is found only here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from orchestration.engine.image import PlanImage
from orchestration.graph import Graph

ASKS = frozenset({"require_approval", "require_elevated_approval", "deny"})
RISKY = frozenset({"high", "critical"})
Definition = Mapping[str, Any]
Reason = dict[str, str]


def reasons(
    old: PlanImage,
    kept: Collection[str],
    new: Sequence[Definition],
    needs: Sequence[Sequence[int]],
    risks: Sequence[str],
) -> list[Reason]:
    """Why somebody else has to agree; empty where nobody has. `kept`: what has started, and stands as it is."""
    there = {str(step["key"]): step for step in new}
    changed = {key for key in there if key not in kept and not _is_same(old, key, there[key])}
    gone = {key for key in old.keys if key not in kept and (key not in there or key in changed)}
    return [
        *_touched(old, gone, there),
        *_slipping(old, kept, gone, new, needs, changed),
        *(_risen(step) for step, risk in zip(new, risks, strict=True) if risk in RISKY and step["key"] in changed),
    ]


def _is_same(old: PlanImage, key: str, step: Definition) -> bool:
    place = old.place.get(key)
    return place is not None and _substance(old.definitions[place]) == _substance(step)


def _substance(step: Definition) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name not in ("name", "needs")}


def _touched(old: PlanImage, gone: Collection[str], there: Collection[str]) -> Iterator[Reason]:
    for key in sorted(gone):
        place = old.place[key]
        policy, verb = old.policies[place], "changes" if key in there else "removes"
        if old.definitions[place]["type"] == "approval":
            yield _reason("checkpoint_touched", f"The replan {verb} the checkpoint {key!r}.")
        elif policy.get("verdict") in ASKS or policy.get("risk") in RISKY:
            yield _reason("risky_step_touched", f"The replan {verb} the step {key!r}, which needs an approval.")


def _slipping(
    old: PlanImage,
    kept: Collection[str],
    gone: Collection[str],
    new: Sequence[Definition],
    needs: Sequence[Sequence[int]],
    changed: Collection[str],
) -> Iterator[Reason]:
    """A step that waited for an open checkpoint, or stands in for one that did, and waits for it no more."""
    keys = [str(step["key"]) for step in new]
    graph = Graph(tuple(tuple(needed) for needed in needs))
    for place, gate in enumerate(old.keys):
        if gate in kept or gate in gone or old.definitions[place]["type"] != "approval":
            continue
        guarded = {old.keys[other] for other in _behind(old.graph, place)}
        still = {keys[other] for other in _behind(graph, keys.index(gate))}
        wanted = guarded | (set(changed) if guarded & set(gone) else set())
        for key in sorted(set(keys) & wanted - still - set(kept)):
            yield _reason("gate_avoided", f"After the replan {key!r} would not wait for the checkpoint {gate!r}.")


def _behind(graph: Graph, place: int) -> set[int]:
    todo, seen = [place], set()
    while todo:
        for other in graph.dependants[todo.pop()]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def _risen(step: Definition) -> Reason:
    return _reason("risk_raised", f"The replan brings in {step['key']!r}, which is of high risk.")


def _reason(code: str, message: str) -> Reason:
    return {"code": code, "message": message, "rule": "replan"}
