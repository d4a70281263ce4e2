"""The builder's page as data for its templates: fields with values and faults, cards, result, graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration import plan_rules
from orchestration.engine.planning import StepPreview
from orchestration.models.workflow import StepType
from orchestration.schema import Plan
from policy import access
from policy.access import Permission
from policy.models.access import Role
from workbench.builder import faults, plans
from workbench.builder.drafts import Draft
from workbench.builder.fields import CHECK_LABELS, INPUT, PLAN, STEPS, Field, fields_of_check
from workbench.builder.kinds import KINDS
from workbench.builder.records import PICK
from workbench.builder.verdicts import asks, gates_of
from workbench.drawing import drawing_of

Data = dict[str, Any]
LONGEST_SUMMARY = 90
TYPE_ICONS = {"command": "terminal-2", "sdk": "robot", "approval": "user-check", "validation": "list-check"}


@dataclass(frozen=True)
class Shown:
    """One field of the page."""

    name: str
    field: Field
    value: str
    errors: Sequence[str]
    offered: Sequence[tuple[str, str]] = ()

    @property
    def id(self) -> str:
        return f"id_{self.name}"

    @property
    def control(self) -> str:
        return KINDS[self.field.kind].control

    @property
    def hint(self) -> str:
        return " ".join(part for part in (self.field.hint, KINDS[self.field.kind].hint) if part)

    @property
    def options(self) -> list[tuple[str, str]]:
        """A value that the list doesn't know stays choosable, so that it isn't lost."""
        known = list(self.field.options)
        return known if self.value in dict(known) else [*known, (self.value, self.value or "choose")]

    @property
    def picks(self) -> list[tuple[str, str, str, bool]]:
        """Name, value, words, ticked. What is ticked and not offered can be unticked all the same."""
        chosen = self.value.split("\n") if self.value else []
        offered = dict(self.offered or self.field.options)
        beside = {value: "" for value in chosen if value not in offered}
        return [
            (f"{self.name}{PICK}{value}", value, words, value in chosen)
            for value, words in {**offered, **beside}.items()
        ]

    @property
    def rows(self) -> int:
        return min(max(self.value.count("\n") + 1, 2), 16)


class Sheet:
    """`previews` are there when the plan is valid."""

    def __init__(
        self,
        draft: Draft,
        previews: Sequence[StepPreview],
        documents: Sequence[tuple[str, str]] = (),
        agents: Mapping[int, Data] | None = None,
    ) -> None:
        self.draft, self.previews = draft, previews
        self.documents, self.agents = documents, agents or {}
        self.texts = plans.show(draft.data) if draft.view == "steps" and draft.data is not None else {}
        self.errors = faults.by_field(draft, draft.faults)

    def fields(self, shape: Sequence[Field], prefix: str, *, folded: bool | None = None) -> list[Shown]:
        return [
            Shown(name, field, self.texts.get(name, ""), self.errors.get(name, ()), self._offered(field))
            for field in shape
            if folded in (None, field.folded) and (name := f"{prefix}-{field.slug}")
        ]

    def _offered(self, field: Field) -> Sequence[tuple[str, str]]:
        return self.documents if field.name == "context" else ()

    def plan(self) -> Data:
        more = self.fields(PLAN, "plan", folded=True)
        inputs = [self._input(index) for index in range(len((self.draft.data or {}).get("inputs") or {}))]
        return {
            "plan_fields": self.fields(PLAN, "plan", folded=False),
            "more_fields": more,
            "more_open": any(shown.errors for shown in more),
            "inputs": inputs,
        }

    def _input(self, index: int) -> Data:
        return {"index": index, "fields": self.fields(INPUT, f"inputs-{index}")}

    def steps(self) -> list[Data]:
        return [self._step(index, step) for index, step in enumerate(self.draft.steps)] if self.texts else []

    def _step(self, index: int, step: Data) -> Data:
        prefix, kind, last = f"steps-{index}", step["type"], len(self.draft.steps) - 1
        more = self.fields(STEPS[kind], prefix, folded=True)
        card = {
            "index": index,
            "number": index + 1,
            "key": step.get("key", ""),
            "name": step.get("name", ""),
            "type": kind,
            "type_label": StepType(kind).label,
            "summary": _summary(step),
            "fields": self.fields(STEPS[kind], prefix, folded=False),
            "more": more,
            "more_open": any(shown.errors for shown in more),
            "checks": [self._check(prefix, place, check) for place, check in enumerate(step.get("checks") or [])],
            "agent": self.agents.get(index),
            "check_kinds": CHECK_LABELS.items() if kind == "validation" else (),
            "first": index == 0,
            "last": index == last,
            **self.verdict(index),
        }
        return {**card, "open": (self.draft.open[index : index + 1] or [False])[0] or bool(card["errors"])}

    def _check(self, step: str, place: int, check: Data) -> Data:
        prefix = f"{step}-checks-{place}"
        return {
            "place": place,
            "kind": check["kind"],
            "label": CHECK_LABELS[check["kind"]],
            "prefix": prefix,
            "fields": self.fields(fields_of_check(check["kind"]), prefix),
        }

    def verdict(self, index: int) -> Data:
        wrong = sum(faults.step_of(fault["path"]) == index for fault in self.draft.faults)
        if wrong or not self.previews:
            return {"index": index, "errors": wrong}
        found = self.previews[index]
        return {
            "index": index,
            "errors": 0,
            "verdict": found.verdict.verdict,
            "risk": found.verdict.risk,
            "type": found.type,
        }

    def verdicts(self) -> list[Data]:
        return [self.verdict(index) for index in range(len(self.draft.steps))] if self.draft.view == "steps" else []

    def result(self, *, role: str, save_label: str, warnings: Sequence[str]) -> Data:
        may_save = access.allows(Role(role), Permission.LAUNCH)
        return {
            "valid": bool(self.previews),
            "problems": [{**fault, "anchor": self._anchor(fault["path"])} for fault in self.draft.faults],
            "gates": gates_of(self.previews),
            "warnings": warnings,
            "save_label": save_label,
            "may_save": may_save,
            "why_not": access.TOO_LOW[Permission.LAUNCH],
        }

    def _anchor(self, path: str) -> str:
        if self.draft.view == "text":
            return "plan-text"
        name = faults.field_of(self.draft, path)
        return (
            f"id_{name}"
            if name in self.texts
            else "builder-steps"
            if faults.step_of(path) is None
            else f"builder-step-{faults.step_of(path)}"
        )


def graph(plan: Plan | None, previews: Sequence[StepPreview]) -> Data:
    if plan is None:
        return {"nodes": []}
    states = {step.key: _state(step) for step in previews}
    names = {step.key: step.name for step in previews}
    keys = tuple(states)
    urls = {key: f"#builder-step-{index}" for index, key in enumerate(keys)}
    return {**drawing_of(keys, plan_rules.needs_of(plan), names=names, states=states, urls=urls), "plain": True}


def _state(step: StepPreview) -> tuple[str, str]:
    """How the node looks, and its word."""
    if step.verdict.verdict == "deny":
        return "failed", "denied by policy"
    return ("awaiting_approval", "asks for a decision") if asks(step) else ("pending", str(StepType(step.type).label))


def _summary(step: Mapping[str, Any]) -> str:
    shown = step.get("command") or step.get("prompt") or step.get("instructions") or ""
    if step["type"] == "validation":
        shown = ", ".join(CHECK_LABELS.get(check.get("kind", ""), "") for check in step.get("checks") or [])
    line = str(shown).strip().split("\n")[0]
    return line if len(line) <= LONGEST_SUMMARY else f"{line[:LONGEST_SUMMARY]}…"
