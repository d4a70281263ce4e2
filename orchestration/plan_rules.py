"""What a plan's shape can't say: references, cycles, expressions, paths, variables.

`validate_plan` is the whole validation; everything that takes a plan from outside goes through it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from orchestration import graph, schema
from orchestration.executors.tools import TOOLS
from orchestration.json_schemas import schema_fault
from orchestration.plan_text import check_data
from orchestration.providers import PROVIDERS
from orchestration.schema import InvalidPlan, Plan
from policy import expressions

VARIABLES = frozenset({"inputs", "steps", "run", "feature", "project"})
PLACEHOLDER = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
REFERENCE = re.compile(
    r"^(?:inputs\.(?P<input>[A-Za-z_][A-Za-z0-9_]*)"
    r"|steps\.(?P<step>[a-z][a-z0-9_-]*)\.outputs\.(?P<output>[A-Za-z_][A-Za-z0-9_]*))$"
)
OUTPUT_NAMED = re.compile(r"^(?:steps\.)?(?P<step>[a-z][a-z0-9_-]*)(?:\.outputs)?\.(?P<output>[A-Za-z_][A-Za-z0-9_]*)$")
STEP_NAMED = re.compile(r"""\bsteps(?:\.([a-z][a-z0-9_]*)|\[\s*["']([^"']+)["']\s*\])""")
Fault = tuple[str, str]
MAX_FAULTS = 100  # more help nobody, and a plan can be wrong 10,000 times


def validate_plan(data: object) -> Plan:
    """The plan, ready to be stored. Raises InvalidPlan with every fault as path and sentence."""
    check_data(data)
    return validate_whole(schema.validate_shape(data))


def validate_whole(plan: Plan) -> Plan:
    """The same of a plan whose text and shape were looked at."""
    faults = [*_key_faults(plan), *_input_faults(plan)]
    faults = faults or _cycle_faults(plan)
    faults = faults or _faults_of_steps(plan)
    if faults:
        raise InvalidPlan([{"path": path, "message": message} for path, message in faults[:MAX_FAULTS]])
    return plan


def validate_alone(data: object) -> Plan:
    """A plan of one step that stands in no place yet: what it names of others is taken to be there."""
    check_data(data)
    plan = schema.validate_shape(data)
    faults = dict.fromkeys(_step_faults(Alone(plan), 0, plan.steps[0]))
    if faults:
        raise InvalidPlan([{"path": path.replace("steps[0]", "step"), "message": message} for path, message in faults])
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
    needs = plan.steps[cycle[0]].needs or []
    place = next(place for place, key in enumerate(needs) if key in keys)
    return [
        (
            f"steps[{cycle[0]}].needs[{place}]",
            f"The steps need each other in a circle: {' → '.join([*shown, keys[0]])}.",
        )
    ]


def _faults_of_steps(plan: Plan) -> list[Fault]:
    known = Known(plan)
    found: dict[Fault, None] = {}
    for index, step in enumerate(plan.steps):
        found.update(dict.fromkeys(_step_faults(known, index, step)))
        if len(found) >= MAX_FAULTS:
            break
    return list(found)


class Known:
    """What a step may name: the plan's inputs and steps, and the steps that end before it starts."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.place = {str(step.key): index for index, step in enumerate(plan.steps)}
        self._before: list[int] | None = None

    def has_step(self, key: str) -> bool:
        return key in self.place

    def has_input(self, name: str) -> bool:
        return name in self.plan.inputs

    def comes_before(self, key: str, index: int) -> bool:
        if self._before is None:
            self._before = graph.ancestors(needs_of(self.plan))
        return bool(self._before[index] >> self.place[key] & 1)


class Alone(Known):
    """Nothing is known of the plan that the step will stand in."""

    def has_step(self, key: str) -> bool:
        return True

    def has_input(self, name: str) -> bool:
        return True

    def comes_before(self, key: str, index: int) -> bool:
        return True


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


def _step_faults(known: Known, index: int, step: schema.Step) -> Iterator[Fault]:
    path = f"steps[{index}]"
    if step.when is not None:
        yield from _expression_faults(known, f"{path}.when", step.when)
    if isinstance(step, schema.CommandStep):
        yield from _command_faults(known, index, step)
    if isinstance(step, schema.SdkStep):
        yield from _agent_faults(known, index, step)
    if isinstance(step, schema.ApprovalStep):
        yield from _placeholder_faults(known, index, f"{path}.instructions", step.instructions)
    if isinstance(step, schema.ValidationStep):
        for place, check in enumerate(step.checks):
            yield from _check_faults(known, f"{path}.checks[{place}]", check)
    if not isinstance(step, schema.ApprovalStep):
        for place, artifact in enumerate(step.artifacts):
            yield from _path_faults(f"{path}.artifacts[{place}].path", artifact.path)


def _command_faults(known: Known, index: int, step: schema.CommandStep) -> Iterator[Fault]:
    if step.cwd is not None:
        yield from _path_faults(f"steps[{index}].cwd", step.cwd)
    if PLACEHOLDER.search(step.command):
        yield (
            f"steps[{index}].command",
            "Values are never filled into a command; put them into env and use them as variables, "
            "so that what was approved is what runs.",
        )
    for name, value in known.plan.env.items():
        yield from _placeholder_faults(known, index, f"env.{name}", value)
    for name, value in step.env.items():
        yield from _placeholder_faults(known, index, f"steps[{index}].env.{name}", value)


def _agent_faults(known: Known, index: int, step: schema.SdkStep) -> Iterator[Fault]:
    path = f"steps[{index}]"
    if step.provider not in PROVIDERS:
        yield f"{path}.provider", f"There is no provider {step.provider!r}; there are {', '.join(sorted(PROVIDERS))}."
    for place, tool in enumerate(step.tools):
        if tool not in TOOLS:
            yield f"{path}.tools[{place}]", f"There is no tool {tool!r}; there are {', '.join(sorted(TOOLS))}."
    yield from _placeholder_faults(known, index, f"{path}.prompt", step.prompt)
    yield from _placeholder_faults(known, index, f"{path}.system", step.system or "")
    yield from _schema_faults(f"{path}.output_schema", step.output_schema)


def _check_faults(known: Known, path: str, check: schema.Check) -> Iterator[Fault]:
    if isinstance(check, schema.ExpressionCheck):
        yield from _expression_faults(known, f"{path}.expression", check.expression)
    if isinstance(check, (schema.FileCheck, schema.JunitCheck)):
        yield from _path_faults(f"{path}.path", check.path)
    if isinstance(check, schema.FileCheck) and check.matches is not None:
        yield from _pattern_faults(f"{path}.matches", check.matches)
    if isinstance(check, schema.JsonSchemaCheck):
        yield from _json_schema_faults(known, path, check)


def _json_schema_faults(known: Known, path: str, check: schema.JsonSchemaCheck) -> Iterator[Fault]:
    if (check.path is None) == (check.output is None):
        yield path, "Name one of path and output: what the schema is held against."
    if check.path is not None:
        yield from _path_faults(f"{path}.path", check.path)
    if check.output is not None:
        yield from _output_faults(known, f"{path}.output", check.output)
    yield from _schema_faults(f"{path}.schema", check.schema_)


def _output_faults(known: Known, path: str, name: str) -> Iterator[Fault]:
    found = OUTPUT_NAMED.match(name)
    if found is None:
        yield path, "Name an output as STEP.NAME."
    elif not known.has_step(found["step"]):
        yield path, f"There is no step with the key {found['step']!r}."


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
    fault = "" if value is None else schema_fault(value)
    if fault:
        yield path, f"This is no JSON Schema: {fault[:300]}"


def _expression_faults(known: Known, path: str, source: str) -> Iterator[Fault]:
    try:
        expressions.compile_expression(source, VARIABLES)
    except expressions.ExpressionError as error:
        yield path, str(error)
        return
    for dotted, indexed in STEP_NAMED.findall(source):
        if not known.has_step(dotted or indexed):
            yield path, f"There is no step with the key {dotted or indexed!r}."


def _placeholder_faults(known: Known, index: int, path: str, text: str) -> Iterator[Fault]:
    for inside in PLACEHOLDER.findall(text):
        found = REFERENCE.match(inside)
        if not found:
            yield path, f"'{inside[:80]}' can't be filled in; use inputs.NAME or steps.KEY.outputs.NAME."
        elif found["input"] and not known.has_input(found["input"]):
            yield path, f"There is no input named {found['input']!r}."
        elif found["step"]:
            yield from _step_named_faults(known, index, path, found["step"])


def _step_named_faults(known: Known, index: int, path: str, key: str) -> Iterator[Fault]:
    if not known.has_step(key):
        yield path, f"There is no step with the key {key!r}."
    elif not known.comes_before(key, index):
        yield path, f"The step {key!r} does not come before this one; name it in needs."
