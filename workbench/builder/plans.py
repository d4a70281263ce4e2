"""A whole plan between data, fields and text: `show`, `read`, and what is left when defaults go without saying."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from orchestration import schema
from workbench.builder import records
from workbench.builder.fields import CHECKS, INPUT, PLAN, STEPS, fields_of_check
from workbench.builder.kinds import read_number

Data = dict[str, Any]
Texts = dict[str, str]
STEP_SHAPES: dict[str, type[BaseModel]] = {
    "command": schema.CommandStep, "sdk": schema.SdkStep, "approval": schema.ApprovalStep,
    "validation": schema.ValidationStep,
}  # fmt: skip
CHECK_SHAPES: dict[str, type[BaseModel]] = {
    "command": schema.CommandCheck, "file": schema.FileCheck, "json_schema": schema.JsonSchemaCheck,
    "expression": schema.ExpressionCheck, "junit": schema.JunitCheck,
}  # fmt: skip


def show(data: Mapping[str, Any]) -> Texts:
    """The plan as the texts of its form."""
    texts = {f"plan-{name}": text for name, text in records.show(PLAN, data).items()}
    for index, (name, spec) in enumerate(_inputs(data)):
        shown = records.show(INPUT, {**spec, "name": name})
        texts |= {f"inputs-{index}-{field}": text for field, text in shown.items()}
    for index, step in enumerate(data.get("steps") or []):
        texts |= {f"steps-{index}-{name}": text for name, text in _show_step(step).items()}
    return texts


def _show_step(step: Mapping[str, Any]) -> Texts:
    texts = {"type": step["type"], **records.show(STEPS[step["type"]], step)}
    for place, check in enumerate(step.get("checks") or []):
        texts[f"checks-{place}-kind"] = check["kind"]
        shown = records.show(fields_of_check(check["kind"]), check)
        texts |= {f"checks-{place}-{name}": text for name, text in shown.items()}
    return texts


def read(texts: Mapping[str, str], *, project: str, feature: str) -> Data:
    """The texts of the form as a plan."""
    data: Data = records.read(PLAN, _below(texts, "plan"))
    data |= {"project": project, "feature": feature}
    if inputs := [records.read(INPUT, _below(texts, f"inputs-{index}")) for index in numbers(texts, "inputs", "name")]:
        data["inputs"] = _named(inputs)
    data["steps"] = [_read_step(_below(texts, f"steps-{index}")) for index in numbers(texts, "steps", "type")]
    return data


def numbers(texts: Mapping[str, str], part: str, field: str) -> list[int]:
    """In the order of the page, gaps and all."""
    pattern = re.compile(rf"{part}-(\d{{1,5}})-{field}")
    return sorted({int(found[1]) for name in texts if (found := pattern.fullmatch(name))})


def _read_step(texts: Mapping[str, str]) -> Data:
    kind = texts["type"] if texts["type"] in STEPS else "command"
    step = {"type": kind, **records.read(STEPS[kind], texts)}
    if kind == "validation":
        step["checks"] = [_read_check(_below(texts, f"checks-{place}")) for place in numbers(texts, "checks", "kind")]
    return step


def _read_check(texts: Mapping[str, str]) -> Data:
    kind = texts["kind"] if texts["kind"] in CHECKS else "command"
    return {"kind": kind, **records.read(fields_of_check(kind), texts)}


def _below(texts: Mapping[str, str], prefix: str) -> Texts:
    start = f"{prefix}-"
    return {name.removeprefix(start): text for name, text in texts.items() if name.startswith(start)}


def _inputs(data: Mapping[str, Any]) -> list[tuple[str, Data]]:
    return [(name, {**spec, "type": spec.get("type", "string")}) for name, spec in (data.get("inputs") or {}).items()]


def _named(inputs: Sequence[Data]) -> Data:
    """By name; a name that is taken gets a number, so that no row is lost under another."""
    named: Data = {}
    for spec in inputs:
        name = spec.pop("name", "")
        while name in named:
            name += "_2"
        named[name] = _typed(spec)
    return named


def _typed(spec: Data) -> Data:
    """A default is typed as text; it is what the input's type makes of it, or stays a text that doesn't fit."""
    default = spec.get("default")
    if spec.get("type") == "number" and default:
        spec["default"] = read_number(default)
    if spec.get("type") == "boolean" and default in ("true", "false"):
        spec["default"] = default == "true"
    return spec


def tidy(data: Mapping[str, Any]) -> Data:
    """The same plan without what goes without saying: shorter to read, and equal for equal plans."""
    plan = _without_defaults(schema.Plan, data)
    plan = {
        **plan,
        "inputs": {name: _without_defaults(schema.Input, spec) for name, spec in plan.get("inputs", {}).items()},
    }
    steps = [_tidy_step(step) for step in data.get("steps") or []]
    return {**{name: value for name, value in plan.items() if value != {}}, "steps": steps}


def _tidy_step(step: Mapping[str, Any]) -> Data:
    tidied = _without_defaults(STEP_SHAPES[step["type"]], step)
    if isinstance(step.get("retry"), Mapping):
        tidied["retry"] = _without_defaults(schema.Retry, step["retry"])
    if isinstance(step.get("artifacts"), list):
        tidied["artifacts"] = [
            _without_defaults(schema.ArtifactSpec, spec) if isinstance(spec, Mapping) else spec
            for spec in step["artifacts"]
        ]
    if "checks" in step:
        tidied["checks"] = [_without_defaults(CHECK_SHAPES[check["kind"]], check) for check in step["checks"]]
    return {name: value for name, value in tidied.items() if value not in ({}, []) or name in ("needs", "checks")}


def _without_defaults(shape: type[BaseModel], record: Mapping[str, Any]) -> Data:
    usual = {
        field.alias or name: field.default for name, field in shape.model_fields.items() if not field.is_required()
    }
    return {
        name: value
        for name, value in record.items()
        if value is not None and not (name in usual and _same(usual[name], value))
    }


def _same(one: Any, other: Any) -> bool:
    """5 is 5.0, but 1 is not true."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def is_faithful(data: Any) -> bool:
    """Whether the form can show all of it: what it makes of the plan is the plan again."""
    try:
        again = read(show(data), project=data["project"], feature=data["feature"])
        return tidy(again) == tidy(data)
    except (KeyError, TypeError, AttributeError, ValueError):
        return False
