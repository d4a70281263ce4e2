"""A run as the engine holds it in memory: the plan's graph and the current step runs.

An image is used only while the run's row is locked, and only if its last event number is the row's own: every
change of a run raises that number, so an image that agrees is current, whoever made the last change.
"""

from __future__ import annotations

import functools
import heapq
import threading
import uuid
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from orchestration.graph import Graph, needs_of
from orchestration.models import Step, StepRun, WorkflowRun, WorkflowVersion

KEPT = 256


@dataclass(frozen=True)
class PlanImage:
    """What never changes about a plan version."""

    digest: str
    header: dict[str, Any]
    keys: tuple[str, ...]
    place: dict[str, int]
    step_ids: tuple[int, ...]
    definitions: tuple[dict[str, Any], ...]
    policies: tuple[dict[str, Any], ...]  # what policy said when the version was saved
    graph: Graph
    # (place, rules version, boundary) -> Verdict, for steps that nothing is filled into
    verdicts: dict[tuple[int, str, str], Any]


class States(list[str]):
    """The states of the steps, counted as they change: no change of a run looks through all of its steps."""

    def __init__(self, states: Iterable[str]) -> None:
        super().__init__(states)
        self.counts = Counter(self)
        self._ready = [place for place, state in enumerate(self) if state == "ready"]

    def put(self, place: int, state: str) -> None:
        self.counts[self[place]] -= 1
        self.counts[state] += 1
        self[place] = state
        if state == "ready":
            heapq.heappush(self._ready, place)

    def first_ready(self) -> int | None:
        """The ready step that comes first in the plan."""
        while self._ready and self[self._ready[0]] != "ready":
            heapq.heappop(self._ready)
        return self._ready[0] if self._ready else None


@dataclass
class Image:
    run: WorkflowRun
    plan: PlanImage
    steps: list[StepRun]
    states: States = field(init=False)

    def __post_init__(self) -> None:
        self.states = States(str(step.state) for step in self.steps)

    @functools.cached_property
    def places(self) -> dict[int, int]:
        """By the id of the step run."""
        return {step.pk: place for place, step in enumerate(self.steps)}


def load(run_id: uuid.UUID) -> Image:
    """Read a run afresh. Call while holding its row."""
    run = WorkflowRun.objects.select_related("project", "feature", "workflow").get(pk=run_id)
    plan = plan_image(run.version_id)
    steps: list[Any] = [None] * len(plan.keys)
    for step in StepRun.objects.filter(run=run).exclude(state="superseded"):
        steps[plan.place[step.key]] = step
    return Image(run, plan, steps)


@functools.lru_cache(maxsize=128)
def plan_image(version_id: uuid.UUID) -> PlanImage:
    version = WorkflowVersion.objects.get(pk=version_id)
    steps = Step.objects.filter(version_id=version_id).order_by("index")
    rows = list(steps.values_list("id", "key", "definition", "policy"))
    keys = tuple(key for _, key, _, _ in rows)
    definitions = tuple(definition for _, _, definition, _ in rows)
    policies = tuple(policy for _, _, _, policy in rows)
    needs = needs_of(keys, [definition.get("needs") for definition in definitions])
    forgiven = frozenset(i for i, definition in enumerate(definitions) if definition.get("continue_on_error"))
    header = {name: value for name, value in version.plan.items() if name != "steps"}
    place = {key: index for index, key in enumerate(keys)}
    step_ids = tuple(pk for pk, _, _, _ in rows)
    return PlanImage(version.digest, header, keys, place, step_ids, definitions, policies, Graph(needs, forgiven), {})


class Images:
    """The images of this process, least recently used first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[uuid.UUID, Image] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, run_id: uuid.UUID) -> Image | None:
        """Out of the store, so that a change that fails leaves nothing half moved behind."""
        with self._lock:
            return self._kept.pop(run_id, None)

    def keep_all(self, carried: dict[uuid.UUID, Image]) -> None:
        """Whichever of several changes tells of the commit first keeps what they leave."""
        while carried:
            self.keep(carried.popitem()[1])

    def keep(self, image: Image) -> None:
        with self._lock:
            self._kept[image.run.id] = image
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


images = Images()
