"""The shape of a plan: one definition for API, files, builder and digest.

`validate_plan` takes parsed data and returns a `Plan`, or raises `InvalidPlan` with every fault as a
path and a sentence. Text is read by `plan_text`; what no schema can say is checked by `plan_rules`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

MAX_STEPS = 10_000
KEY_PATTERN = r"^[a-z][a-z0-9_-]{0,63}$"
NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
SUBJECT_PATTERN = r"^(role:(viewer|operator|approver|admin)|user:[^\s:]{1,150}|group:[^:]{1,150})$"


class InvalidPlan(ValueError):
    """The plan can't be used as it is."""

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(f"The plan has {len(errors)} fault(s): {errors[0]['path']}: {errors[0]['message']}")
        self.errors = [dict(error) for error in errors]


def _plain_number(value: object) -> object:
    # Pydantic would take `true` for 1 and "3" for 3; in a plan that is a slip of the author.
    if isinstance(value, (bool, str)):
        raise ValueError("must be a number")
    return value


def _scalar(value: object) -> object:
    # One sentence, not one for each branch of the union.
    if not isinstance(value, (str, bool, int, float)):
        raise ValueError("must be a text, a number, true or false")
    return value


Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S.*$")]
Text = Annotated[str, Field(max_length=65_536)]
Key = Annotated[str, Field(pattern=KEY_PATTERN)]
Slug = Annotated[str, Field(min_length=1, max_length=200)]
Identifier = Annotated[str, Field(pattern=NAME_PATTERN)]
Expression = Annotated[str, Field(min_length=1, max_length=4096)]
RelativePath = Annotated[str, Field(min_length=1, max_length=1000)]
# Limits stand before it: in the JSON Schema they would be lost behind it.
PLAIN = BeforeValidator(_plain_number)
Seconds = Annotated[float, Field(gt=0, le=30 * 86_400, allow_inf_nan=False), PLAIN]
Risk = Literal["low", "medium", "high", "critical"]
Flag = Annotated[bool, Field(strict=True)]
Scalar = Annotated[str | bool | int | float, BeforeValidator(_scalar)]
Environment = Annotated[dict[Identifier, Text], Field(max_length=200)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(Shape):
    """A value asked at launch."""

    type: Literal["string", "number", "boolean"] = "string"
    required: Flag = False
    default: Scalar | None = None
    description: Annotated[str, Field(max_length=1000)] = ""


class Budget(Shape):
    max_cost_usd: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False), PLAIN] | None = None
    max_tokens: Annotated[int, Field(gt=0, le=10**12), PLAIN] | None = None


class Retry(Shape):
    """Automatic retries: attempt n+1 starts backoff_seconds * backoff_factor ** (n - 1) after attempt n."""

    max_attempts: Annotated[int, Field(ge=1, le=100), PLAIN] = 1
    backoff_seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False), PLAIN] = 5.0
    backoff_factor: Annotated[float, Field(ge=1, le=10, allow_inf_nan=False), PLAIN] = 2.0


class ArtifactSpec(Shape):
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    path: RelativePath
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")] = "file"


class CheckShape(Shape):
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    required: Flag = True


class CommandCheck(CheckShape):
    kind: Literal["command"]
    command: Annotated[str, Field(min_length=1, max_length=65_536)]


class FileCheck(CheckShape):
    kind: Literal["file"]
    path: RelativePath
    exists: Flag = True
    min_bytes: Annotated[int, Field(ge=0, le=10**15), PLAIN] | None = None
    matches: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


class JsonSchemaCheck(CheckShape):
    kind: Literal["json_schema"]
    path: RelativePath | None = None
    output: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    schema_: Annotated[dict[str, Any] | bool, Field(alias="schema")]


class ExpressionCheck(CheckShape):
    kind: Literal["expression"]
    expression: Expression


class JunitCheck(CheckShape):
    kind: Literal["junit"]
    path: RelativePath
    max_failures: Annotated[int, Field(ge=0, le=10**6), PLAIN] = 0


Check = Annotated[
    CommandCheck | FileCheck | JsonSchemaCheck | ExpressionCheck | JunitCheck, Field(discriminator="kind")
]


class StepShape(Shape):
    key: Key | None = None
    name: Name | None = None
    needs: Annotated[list[Key], Field(max_length=MAX_STEPS)] | None = None
    when: Expression | None = None
    risk: Risk | None = None


class WorkingStep(StepShape):
    timeout_seconds: Seconds | None = None
    retry: Retry | None = None
    continue_on_error: Flag = False
    network: Flag = False
    artifacts: Annotated[list[ArtifactSpec], Field(max_length=200)] = []


class CommandStep(WorkingStep):
    type: Literal["command"]
    command: Annotated[str, Field(min_length=1, max_length=65_536, pattern=r"\S")]
    cwd: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    env: Environment = {}
    env_profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")] | None = None
    secrets: Annotated[list[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]], Field(max_length=100)] = []
    outputs: Annotated[list[Identifier], Field(max_length=200)] = []
    effects: Literal["none", "repeatable", "once"] = "once"


class SdkStep(WorkingStep):
    type: Literal["sdk"]
    provider: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    prompt: Annotated[str, Field(min_length=1, max_length=262_144, pattern=r"\S")]
    system: Text | None = None
    model: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    tools: Annotated[list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]], Field(max_length=50)] = []
    context: Annotated[list[RelativePath], Field(max_length=100)] = []
    budget: Budget | None = None
    max_turns: Annotated[int, Field(ge=1, le=1000), PLAIN] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=10**6), PLAIN] | None = None
    output_schema: dict[str, Any] | None = None
    outputs: Annotated[list[Identifier], Field(max_length=200)] = []
    effects: Literal["none", "repeatable", "once"] = "repeatable"


class ApprovalStep(StepShape):
    type: Literal["approval"]
    instructions: Text = ""
    approvers: Annotated[
        list[Annotated[str, Field(max_length=160, pattern=SUBJECT_PATTERN)]], Field(min_length=1, max_length=50)
    ] = ["role:approver"]
    quorum: Annotated[int, Field(ge=1, le=50), PLAIN] = 1
    expires_after_seconds: Seconds | None = None
    on_reject: Literal["fail", "skip"] = "fail"
    on_expire: Literal["block", "fail"] = "block"


class ValidationStep(WorkingStep):
    type: Literal["validation"]
    checks: Annotated[list[Check], Field(min_length=1, max_length=100)]
    effects: Literal["none", "repeatable", "once"] = "repeatable"


Step = Annotated[CommandStep | SdkStep | ApprovalStep | ValidationStep, Field(discriminator="type")]


class Plan(Shape):
    name: Name
    description: Text = ""
    project: Slug
    feature: Slug
    inputs: Annotated[dict[Identifier, Input], Field(max_length=100)] = {}
    env: Environment = {}
    timeout_seconds: Seconds | None = None
    max_parallel: Annotated[int, Field(ge=1, le=1000), PLAIN] | None = None
    budget: Budget | None = None
    steps: Annotated[list[Step], Field(min_length=1, max_length=MAX_STEPS)]

    def as_data(self) -> dict[str, Any]:
        """The plan as JSON data: what is stored, exported and digested."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def validate_shape(data: object) -> Plan:
    """The plan as its author wrote it, types and limits checked; keys made, references not yet looked at."""
    try:
        return with_keys(Plan.model_validate(data))
    except ValidationError as error:
        raise InvalidPlan(errors_of(error)) from None


def with_keys(plan: Plan) -> Plan:
    """The plan with a key and a name for every step: made from the name, or the place, where left out."""
    taken: set[str | None] = {step.key for step in plan.steps if step.key}
    steps = []
    for index, step in enumerate(plan.steps):
        key = step.key or _unused(_key_from(step.name or f"step {index + 1}"), taken)
        taken.add(key)
        steps.append(step.model_copy(update={"key": key, "name": step.name or key}))
    return plan.model_copy(update={"steps": steps})


def errors_of(error: ValidationError) -> list[dict[str, str]]:
    """Pydantic's findings as paths and sentences; at most 100, for a plan can be wrong 10,000 times."""
    return [
        {"path": path_of(_place(found)), "message": _sentence(found["type"], found["msg"], found.get("ctx") or {})}
        for found in error.errors(include_url=False, include_input=False)[:100]
    ]


def _place(found: Mapping[str, Any]) -> Sequence[str | int]:
    """A kind that isn't known is the fault of the field that names it; a key's fault stands at the key."""
    location: tuple[str | int, ...] = found["loc"]
    if found["type"].startswith("union_tag"):
        return (*location, found["ctx"]["discriminator"].strip("'"))
    return location[:-1] if location[-1:] == ("[key]",) else location


def path_of(location: Sequence[str | int]) -> str:
    """`("steps", 2, "command", "needs", 0)` as `steps[2].needs[0]`: the union's tag is no part of the author's text."""
    path = ""
    previous: str | int | None = None
    for part in location:
        is_tag = (isinstance(previous, int) or previous == "step") and part in _TAGS
        if not is_tag:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
        previous = part
    return path or "plan"


_TAGS = frozenset(
    {"command", "sdk", "approval", "validation", "file", "json_schema", "expression", "junit"}
    | {"str", "bool", "int", "float"}
)


def _sentence(kind: str, message: str, context: Mapping[str, Any]) -> str:
    known = {
        "missing": "This field is needed.",
        "extra_forbidden": "There is no such field here.",
        "union_tag_not_found": "This field is needed.",
        "union_tag_invalid": f"There is no {context.get('tag')!r} here; there are {context.get('expected_tags')}.",
        "model_type": "This must be an object with named fields.",
        "model_attributes_type": "This must be an object with named fields.",
        "dict_type": "This must be an object with named fields.",
        "list_type": "This must be a list.",
        "string_type": "This must be a text.",
        "bool_type": "This must be true or false.",
        "too_short": f"At least {context.get('min_length')} must stand here.",
        "too_long": f"At most {context.get('max_length')} may stand here.",
        "string_pattern_mismatch": f"This does not match the pattern {context.get('pattern')}",
    }
    if context.get("pattern") == r"\S":
        return "This must not be blank."
    text = known.get(kind) or message.removeprefix("Value error, ")
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else "This is not valid."


def _key_from(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return (words if words[:1].isalpha() else f"step-{words}".rstrip("-"))[:60].rstrip("-")


def _unused(key: str, taken: set[str | None]) -> str:
    if key not in taken:
        return key
    number = 2
    while f"{key}-{number}" in taken:
        number += 1
    return f"{key}-{number}"
