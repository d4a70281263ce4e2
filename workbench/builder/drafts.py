"""The plan as it stands in an author's browser: read from the form, changed by a button, never stored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration import plan_rules, plan_text
from orchestration.schema import InvalidPlan, Plan
from workbench.builder import plans
from workbench.builder.fields import CHECKS, STEPS

Data = dict[str, Any]
MOST_STEPS_AS_FORMS = 100
ONLY_TEXT = "This plan holds something that the steps can't show; it can be edited as text."
TOO_LONG = f"Plans of more than {MOST_STEPS_AS_FORMS} steps are edited as text."
STARTS: dict[str, Data] = {
    "command": {"type": "command"},
    "sdk": {"type": "sdk", "provider": "simulated", "tools": ["read_file", "list_files", "search_files"]},
    "approval": {"type": "approval", "approvers": ["role:approver"], "quorum": 1},
    "validation": {"type": "validation", "checks": [{"kind": "command"}]},
}
Fault = Mapping[str, str]


@dataclass
class Draft:
    """`data` is None while the text can't be read. `open`: which cards stand open, moved along with their steps."""

    project: str
    feature: str
    view: str = "steps"
    data: Data | None = None
    text: str = ""
    faults: list[Fault] = field(default_factory=list)
    note: str = ""
    open: list[bool] = field(default_factory=list)

    @property
    def steps(self) -> list[Data]:
        return self.data["steps"] if self.data else []

    def check(self) -> Plan | None:
        """The valid plan, or None with its faults."""
        if self.data is None:
            return None
        try:
            plan = plan_rules.validate_plan(self.data)
        except InvalidPlan as invalid:
            self.faults = [*self.faults, *invalid.errors]
            return None
        self.faults = [*self.faults, *self._elsewhere()]
        return None if self.faults else plan

    def _elsewhere(self) -> list[Fault]:
        data = self.data or {}
        return [
            {"path": name, "message": f"This workflow belongs to {here!r}; write that, or leave the line out."}
            for name, here in (("project", self.project), ("feature", self.feature))
            if data.get(name) != here
        ]


def of_data(data: Mapping[str, Any], *, project: str, feature: str, view: str = "") -> Draft:
    """A plan that is stored, drafted or imported, in the form if it fits into it."""
    placed = {**copy.deepcopy(dict(data)), "project": project, "feature": feature}
    draft = Draft(project, feature, "text", placed, text_of(placed))
    if view != "text":
        _show_steps(draft)
    return draft


def of_text(text: str, *, project: str, feature: str) -> Draft:
    draft = Draft(project, feature, "text", text=text.replace("\r\n", "\n"))
    try:
        found = plan_text.read_plan(text)
    except InvalidPlan as invalid:
        draft.faults = list(invalid.errors)
        return draft
    if not isinstance(found, dict):
        draft.faults = [{"path": "plan", "message": "A plan begins with its name: and steps:."}]
        return draft
    draft.data = {"project": project, "feature": feature, **found}
    return draft


def of_form(texts: Mapping[str, str], *, project: str, feature: str) -> Draft:
    if texts.get("view") == "text":
        return of_text(texts.get("text", ""), project=project, feature=feature)
    data = plans.read(texts, project=project, feature=feature)
    shown = [texts.get(f"steps-{index}-open") == "yes" for index in plans.numbers(texts, "steps", "type")]
    return Draft(project, feature, "steps", data, open=shown)


def text_of(data: Mapping[str, Any]) -> str:
    try:
        return plan_text.write_yaml(plans.tidy(data))
    except (KeyError, TypeError, AttributeError):
        return plan_text.write_yaml(dict(data))


def change(draft: Draft, wish: str) -> None:
    """What a button asks: `up:3`, `add:command`, `remove:2`, `text`, `steps`, ... An unknown wish changes nothing."""
    name, *given = wish.split(":")
    if name == "text" and draft.view == "steps" and draft.data is not None:
        draft.view, draft.text = "text", text_of(draft.data)
    elif name == "steps" and draft.view == "text":
        _show_steps(draft)
    elif name in CHANGES and draft.view == "steps" and draft.data is not None:
        try:
            CHANGES[name](draft, *given)
        except (ValueError, IndexError, TypeError):
            draft.note = "That step is gone; nothing was changed."


def _show_steps(draft: Draft) -> None:
    """Only where the form loses nothing of what stands in the text."""
    if draft.data is None:
        return
    if len(draft.data.get("steps") or []) > MOST_STEPS_AS_FORMS:
        draft.note = TOO_LONG
    elif not plans.is_faithful(draft.data):
        draft.note = ONLY_TEXT
    else:
        draft.view = "steps"
        draft.data.setdefault("steps", [])
        draft.open = [False] * len(draft.data["steps"])


def _place(draft: Draft, number: str) -> int:
    place = int(number)
    if not 0 <= place < len(draft.steps):
        raise IndexError(number)
    return place


def _move(draft: Draft, start: str, end: str) -> None:
    place, goal = _place(draft, start), _place(draft, end)
    draft.steps.insert(goal, draft.steps.pop(place))
    draft.open.insert(goal, draft.open.pop(place))


def _up(draft: Draft, number: str) -> None:
    _move(draft, number, str(int(number) - 1))


def _down(draft: Draft, number: str) -> None:
    _move(draft, number, str(int(number) + 1))


def _add(draft: Draft, kind: str) -> None:
    if kind in STEPS:
        draft.steps.append(copy.deepcopy(STARTS[kind]))
        draft.open.append(True)


def _copy(draft: Draft, number: str) -> None:
    place = _place(draft, number)
    twin = copy.deepcopy(draft.steps[place])
    twin.pop("key", None)
    twin["name"] = f"{twin.get('name', 'Step')} copy"
    draft.steps.insert(place + 1, twin)
    draft.open.insert(place + 1, True)


def _remove(draft: Draft, number: str) -> None:
    """What needed the step needs what that needed, so that nothing starts earlier than before."""
    place = _place(draft, number)
    gone = draft.steps.pop(place)
    draft.open.pop(place)
    for step in draft.steps:
        needs = step.get("needs")
        if isinstance(needs, list) and gone.get("key") in needs:
            step["needs"] = _spliced(needs, gone["key"], gone.get("needs") or [])


def _spliced(needs: list[str], key: str, instead: list[str]) -> list[str]:
    at = needs.index(key)
    return list(dict.fromkeys([*needs[:at], *instead, *needs[at + 1 :]]))


def _add_check(draft: Draft, number: str, kind: str) -> None:
    step = draft.steps[_place(draft, number)]
    if kind in CHECKS and step["type"] == "validation":
        step.setdefault("checks", []).append({"kind": kind})
        draft.open[int(number)] = True


def _remove_check(draft: Draft, number: str, check: str) -> None:
    draft.steps[_place(draft, number)]["checks"].pop(int(check))


def _add_input(draft: Draft) -> None:
    inputs = (draft.data or {}).setdefault("inputs", {})
    name = next(name for n in range(1, len(inputs) + 2) if (name := f"input_{n}") not in inputs)
    inputs[name] = {"type": "string"}


def _remove_input(draft: Draft, number: str) -> None:
    inputs = (draft.data or {}).get("inputs", {})
    inputs.pop(list(inputs)[int(number)])


CHANGES: dict[str, Callable[..., None]] = {
    "up": _up,
    "down": _down,
    "move": _move,
    "add": _add,
    "copy": _copy,
    "remove": _remove,
    "check_add": _add_check,
    "check_remove": _remove_check,
    "input_add": _add_input,
    "input_remove": _remove_input,
}
