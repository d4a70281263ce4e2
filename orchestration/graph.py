"""The pure planner: what may start, what is over, and what state the run is in.

No I/O, no clock, no database; linear in steps and edges; ties are broken by the step's index.
States and controls are the words of `models.run`, as plain text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

GOOD = frozenset({"succeeded", "skipped"})
SETTLED = frozenset({"succeeded", "failed", "skipped", "canceled", "superseded"})
LIVE = frozenset({"running", "ready", "retry_wait"})


@dataclass(frozen=True)
class Graph:
    """Steps as numbers 0..n-1 in plan order, with who needs whom."""

    needs: tuple[tuple[int, ...], ...]
    forgiven: frozenset[int] = frozenset()  # continue_on_error: a failure lets dependants run
    dependants: tuple[tuple[int, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        dependants: list[list[int]] = [[] for _ in self.needs]
        for index, needed in enumerate(self.needs):
            for other in needed:
                dependants[other].append(index)
        object.__setattr__(self, "dependants", tuple(tuple(found) for found in dependants))

    def lets_through(self, index: int, states: Sequence[str]) -> bool:
        """Whether what needs this step may go on."""
        return states[index] in GOOD or (states[index] == "failed" and index in self.forgiven)

    def is_open(self, index: int, states: Sequence[str]) -> bool:
        """Whether a pending step has all that it needs."""
        # From the back: steps finish in plan order, so what is missing to a wide join is found at once.
        return states[index] == "pending" and all(self.lets_through(o, states) for o in reversed(self.needs[index]))


def needs_of(keys: Sequence[str], needs: Sequence[Sequence[str] | None]) -> tuple[tuple[int, ...], ...]:
    """Who needs whom, by number. Where no step names a need, the list is the order."""
    if all(wanted is None for wanted in needs):
        return tuple(() if index == 0 else (index - 1,) for index in range(len(keys)))
    place = {key: index for index, key in enumerate(keys)}
    return tuple(tuple(sorted({place[key] for key in wanted or ()})) for wanted in needs)


def find_cycle(needs: Sequence[Sequence[int]]) -> list[int]:
    """One cycle as step numbers, or nothing. Iterative: a chain of 10,000 steps is no recursion."""
    waiting = {index: len(set(needed)) for index, needed in enumerate(needs)}
    dependants: dict[int, list[int]] = {}
    for index, needed in enumerate(needs):
        for other in set(needed):
            dependants.setdefault(other, []).append(index)
    free = [index for index, count in waiting.items() if count == 0]
    while free:
        done = free.pop()
        del waiting[done]
        for index in dependants.get(done, ()):
            waiting[index] -= 1
            if waiting[index] == 0:
                free.append(index)
    return _walk_back(needs, waiting)


def ancestors(needs: Sequence[Sequence[int]]) -> list[int]:
    """Of each step all that come before it, as bits of a number: small and quick for 10,000 steps. No cycle allowed."""
    found: list[int] = [-1] * len(needs)
    for start in range(len(needs)):
        stack = [start]
        while stack:
            index = stack[-1]
            missing = [other for other in needs[index] if found[other] < 0]
            stack.extend(missing)
            if not missing:
                found[stack.pop()] = _joined(found, needs[index])
    return found


def _joined(found: Sequence[int], needed: Sequence[int]) -> int:
    bits = 0
    for other in needed:
        bits |= found[other] | 1 << other
    return bits


def ready_steps(graph: Graph, states: Sequence[str], changed: Iterable[int] | None = None) -> list[int]:
    """Pending steps that may start now: all of them, or those that the changed steps could have opened."""
    if changed is None:
        return [index for index in range(len(graph.needs)) if graph.is_open(index, states)]
    near = {index for done in changed for index in (done, *graph.dependants[done])}
    return [index for index in sorted(near) if graph.is_open(index, states)]


@dataclass(frozen=True)
class RunFacts:
    """What the run's state depends on beside its steps."""

    admitted: bool = True
    control: str = "none"
    why_queued: str = "run_limit"
    why_blocked: str = "approval"
    why_failed: str = "step_failed"
    why_canceled: str = "canceled"


def run_state(counts: Mapping[str, int], facts: RunFacts) -> tuple[str, str]:
    """State and reason of the run: the first row of the table that holds.

    `counts` are the current steps by state, with forgiven failures counted as `succeeded`.
    """
    executing = counts.get("running", 0)
    if facts.admitted and _all_good(counts):
        return "succeeded", ""
    if facts.control == "cancel":
        return ("running", "canceling") if executing else ("canceled", facts.why_canceled)
    if facts.control == "pause":
        return "paused", "pausing" if executing else "paused"
    if not facts.admitted:
        return "queued", facts.why_queued
    return _uncontrolled(counts, facts)


def count_states(graph: Graph, states: Sequence[str]) -> Counter[str]:
    return forgive(graph, states, Counter(states))


def forgive(graph: Graph, states: Sequence[str], counts: Mapping[str, int]) -> Counter[str]:
    """The counts as the run's state sees them: replaced steps are left out, forgiven failures count as good."""
    seen = Counter(counts)
    seen.pop("superseded", None)
    if seen["failed"]:
        forgiven = sum(states[index] == "failed" for index in graph.forgiven)
        seen["failed"] -= forgiven
        seen["succeeded"] += forgiven
    return seen


def _all_good(counts: Mapping[str, int]) -> bool:
    return not any(count for state, count in counts.items() if state not in GOOD)


def _uncontrolled(counts: Mapping[str, int], facts: RunFacts) -> tuple[str, str]:
    if any(counts.get(state) for state in LIVE):
        return "running", ""
    if counts.get("awaiting_approval"):
        return "blocked", facts.why_blocked
    if counts.get("interrupted"):
        return "paused", "interrupted"
    if counts.get("failed"):
        return "failed", facts.why_failed
    raise UnreachableState(dict(counts))


class UnreachableState(RuntimeError):
    """The run's steps fit no row of the table: a fault of the engine, never of a plan."""


def _walk_back(needs: Sequence[Sequence[int]], stuck: Mapping[int, int]) -> list[int]:
    """Every stuck step needs a stuck one, so walking back from any of them must come round."""
    if not stuck:
        return []
    path: list[int] = []
    seen: dict[int, int] = {}
    current = min(stuck)
    while current not in seen:
        seen[current] = len(path)
        path.append(current)
        current = min(other for other in needs[current] if other in stuck)
    return path[seen[current] :][::-1]
