"""One look at a run: its row, its steps in plan order, who looks, and what the address asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from orchestration.engine import actions
from orchestration.engine.errors import NotFound
from orchestration.engine.image import PlanImage, plan_image
from orchestration.models import WorkflowRun
from orchestration.reading import finding, runs, steps
from policy import access
from policy.actors import Actor
from policy.models.access import Role

Data = dict[str, Any]
# What the address of the page may say; anything else in it is ignored.
ASKED = ("tab", "step", "panel", "order", "attempt", "line", "kind", "actor", "before", "q", "from")
LONGEST = 200


@dataclass(frozen=True)
class RunView:
    """`actor` and `role` are None where the same words are for everybody, as in what a socket sends to all."""

    run: WorkflowRun
    rows: list[Data]
    actor: Actor | None = None
    role: Role | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    now: datetime = field(default_factory=timezone.now)

    @cached_property
    def plan(self) -> PlanImage:
        return plan_image(self.run.version_id)

    @cached_property
    def by_key(self) -> dict[str, Data]:
        return {row["key"]: row for row in self.rows}

    @cached_property
    def states(self) -> list[str]:
        return [row["state"] for row in self.rows]

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(self.states)

    @cached_property
    def allowed(self) -> list[str]:
        return actions.allowed_actions(self.run, self.states)

    @property
    def may_launch(self) -> bool:
        return access.allows(self.role, access.Permission.LAUNCH)

    def definition(self, key: str) -> Data:
        return self.plan.definitions[self.plan.place[key]]

    def name(self, key: str) -> str:
        """As the plan calls it; a step of an older plan version is known by its key alone."""
        return str(self.definition(key)["name"]) if key in self.plan.place else key

    @property
    def chosen(self) -> Data | None:
        return self.by_key.get(self.asked.get("step", ""))

    @cached_property
    def url(self) -> str:
        return reverse("run", args=[self.run.project.slug, self.run.number])

    def address(self, **changes: object) -> str:
        """This view with something else chosen; None leaves a choice out."""
        wanted = {**self.asked, **changes}
        kept = {name: wanted[name] for name in ASKED if wanted.get(name) not in (None, "")}
        return f"{self.url}?{urlencode(kept)}" if kept else self.url

    def step_url(self, key: str, **more: object) -> str:
        """Said in the same words to everybody; the page adds the reader's own tab to it."""
        return f"{self.url}?{urlencode({'step': key, **more})}"

    def part(self, name: str, *arguments: object, **query: object) -> str:
        """The address of something beside the page: an action, a log, a report."""
        address = reverse(name, args=[self.run.project.slug, self.run.number, *arguments])
        return f"{address}?{urlencode(query)}" if query else address

    def seen_by(self, actor: Actor, role: Role, asked: Mapping[str, str]) -> RunView:
        return replace(self, actor=actor, role=role, asked=asked)


def open_view(actor: Actor, project: str, number: int, asked: Mapping[str, str]) -> RunView:
    """Raises NotFound: to a stranger nothing is there."""
    found = finding.visible_runs(actor).filter(project__slug=project, number=number).first()
    if found is None:
        raise NotFound("There is no such run.")
    role = access.require(actor, access.Permission.VIEW, found.project)
    return look_at(found).seen_by(actor, role, choices(asked))


def look_at(run: WorkflowRun) -> RunView:
    """Run and steps of one and the same event number."""
    return runs.settled(run, lambda seen: RunView(seen, steps.step_rows(seen)))


def choices(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: asked[name][:LONGEST] for name in ASKED if asked.get(name)}


def number_in(asked: Mapping[str, str], name: str) -> int | None:
    text = asked.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
