"""What a plan's shape can't say: references, cycles, expressions, paths, variables.

`validate_plan` is the whole validation; everything that takes a plan from outside goes through it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import jsonschema

from orchestration import graph, schema
from orchestration.plan_text import check_data
from orchestration.schema import InvalidPlan, Plan
from policy import expressions

VARIABLES = frozenset({"inputs", "steps", "run", "feature", "project"})
PLACEHOLDER = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
REFERENCE = re.compile(
    r"^(?:inputs\.(?P<input>[A-Za-z_][A-Za-z0-9_]*)"
    r"|steps\.(?P<step>[a-z][a-z0-9_-]*)\.outputs\.(?P<output>[A-Za-z_][A-Za-z0-9_]*))$"
)
STEP_NAMED = re.compile(r"""\bsteps(?:\.([a-z][a-z0-9_]*)|\[\s*["']([^"']+)["']\s*\])""")
Fault = tuple[str, str]


def validate_plan(data: object) -> Plan:
    """The plan, ready to be stored. Raises InvalidPlan with every fault as path and sentence."""
    check_data(data)
    plan = schema.validate_shape(data)
    faults = [*_key_faults(plan), *_input_faults(plan)]
    faults = faults or [fault for index, step in enumerate(plan.steps) for fault in _step_faults(plan, index, step)]
    faults = faults or _cycle_faults(plan)
    if faults:
        raise InvalidPlan([{"path": path, "message": message} for path, message in faults[:100]])
    return plan


def needs_of(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """Who needs whom, by step number."""
    return graph.needs_of([str(step.key) for step in plan.steps], [step.needs for step in plan.steps])


def _key_faults(plan: Plan) -> Iterator[Fault]:
    first: dict[str | None, int] = {}
    for index, step in enumerate(plan.steps):
        if step.key in first:
            yield f"steps[{index}].key", f"The key {step.key!r} is used by step {first[step.key] + 1} already."
        first.setdefault(step.key, index)
    for index, step in enumerate(plan.steps):
        for place, key in enumerate(step.needs or ()):
            path = f"steps[{index}].needs[{place}]"
            if key == step.key:
                yield path, "A step can't need itself."
            elif key not in first:
                yield path, f"There is no step with the key {key!r}."
            elif key in (step.needs or ())[:place]:
                yield path, f"The key {key!r} is named twice."


def _cycle_faults(plan: Plan) -> list[Fault]:
    cycle = graph.find_cycle(needs_of(plan))
    if not cycle:
        return []
    keys = [str(plan.steps[index].key) for index in cycle]
    shown = keys[:10] + ["…"] * (len(keys) > 10)
    return [(f"steps[{cycle[0]}].needs", "The steps need each other in a circle: " + " → ".join([*shown, keys[0]]))]


def _input_faults(plan: Plan) -> Iterator[Fault]:
    for name, wanted in plan.inputs.items():
        if wanted.default is not None and not input_fits(wanted, wanted.default):
            yield f"inputs.{name}.default", f"The default is no {wanted.type}."


def input_fits(wanted: schema.Input, value: object) -> bool:
    """Whether a value is of the type that the plan asks for; `true` is no number."""
    if wanted.type == "boolean":
        return isinstance(value, bool)
    if wanted.type == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str)


def _step_faults(plan: Plan, index: int, step: schema.Step) -> Iterator[Fault]:
    path = f"steps[{index}]"
    if step.when is not None:
        yield from _expression_faults(plan, f"{path}.when", step.when)
    if isinstance(step, schema.CommandStep):
        yield from _command_faults(plan, path, step)
    if isinstance(step, schema.SdkStep):
        yield from _placeholder_faults(plan, f"{path}.prompt", step.prompt)
        yield from _schema_faults(f"{path}.output_schema", step.output_schema)
    if isinstance(step, schema.ApprovalStep):
        yield from _placeholder_faults(plan, f"{path}.instructions", step.instructions)
    if isinstance(step, schema.ValidationStep):
        for place, check in enumerate(step.checks):
            yield from _check_faults(plan, f"{path}.checks[{place}]", check)
    if not isinstance(step, schema.ApprovalStep):
        for place, artifact in enumerate(step.artifacts):
            yield from _path_faults(f"{path}.artifacts[{place}].path", artifact.path)


def _command_faults(plan: Plan, path: str, step: schema.CommandStep) -> Iterator[Fault]:
    if step.cwd is not None:
        yield from _path_faults(f"{path}.cwd", step.cwd)
    if PLACEHOLDER.search(step.command):
        yield (
            f"{path}.command",
            "Values are never filled into a command; put them into env and use them as variables, "
            "so that what was approved is what runs.",
        )
    for name, value in (*plan.env.items(), *step.env.items()):
        yield from _placeholder_faults(plan, f"{path}.env.{name}", value)


def _check_faults(plan: Plan, path: str, check: schema.Check) -> Iterator[Fault]:
    if isinstance(check, schema.ExpressionCheck):
        yield from _expression_faults(plan, f"{path}.expression", check.expression)
    if isinstance(check, (schema.FileCheck, schema.JunitCheck)):
        yield from _path_faults(f"{path}.path", check.path)
    if isinstance(check, schema.FileCheck) and check.matches is not None:
        yield from _pattern_faults(f"{path}.matches", check.matches)
    if isinstance(check, schema.JsonSchemaCheck):
        if (check.path is None) == (check.output is None):
            yield path, "Name one of path and output: what the schema is held against."
        if check.path is not None:
            yield from _path_faults(f"{path}.path", check.path)
        yield from _schema_faults(f"{path}.schema", check.schema_)


def _path_faults(path: str, value: str) -> Iterator[Fault]:
    pure = PurePosixPath(value)
    if pure.is_absolute() or value.startswith("~") or ".." in pure.parts:
        yield path, "The path must lie inside the workspace: relative, without '..'."


def _pattern_faults(path: str, pattern: str) -> Iterator[Fault]:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        yield path, f"This is no regular expression: {error}."


def _schema_faults(path: str, value: dict[str, Any] | bool | None) -> Iterator[Fault]:
    if value is None:
        return
    try:
        jsonschema.Draft202012Validator.check_schema(value)
    except jsonschema.SchemaError as error:
        yield path, f"This is no JSON Schema: {error.message[:300]}"


def _expression_faults(plan: Plan, path: str, source: str) -> Iterator[Fault]:
    try:
        expressions.compile_expression(source, VARIABLES)
    except expressions.ExpressionError as error:
        yield path, str(error)
        return
    known = {step.key for step in plan.steps}
    for dotted, indexed in STEP_NAMED.findall(source):
        if (dotted or indexed) not in known:
            yield path, f"There is no step with the key {dotted or indexed!r}."


def _placeholder_faults(plan: Plan, path: str, text: str) -> Iterator[Fault]:
    for inside in PLACEHOLDER.findall(text):
        found = REFERENCE.match(inside)
        if not found:
            yield path, f"'{inside[:80]}' can't be filled in; use inputs.NAME or steps.KEY.outputs.NAME."
        elif found["input"] and found["input"] not in plan.inputs:
            yield path, f"There is no input named {found['input']!r}."
        elif found["step"] and found["step"] not in {step.key for step in plan.steps}:
            yield path, f"There is no step with the key {found['step']!r}."
