"""Bodies of requests: read with limits, checked against a shape that knows no other fields.

What no database, page or digest can carry (NaN, doubled keys, deep nests, control characters) is refused here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from django.http import HttpRequest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from orchestration import plan_text, schema
from orchestration.api.refusals import TooLarge, WrongMediaType
from orchestration.schema import InvalidPlan, Scalar, Shape

MAX_BODY = 1024 * 1024
MAX_PLAN = plan_text.MAX_BYTES
# What makes no sense in a run of one step.
NOT_SINGLE = ("key", "needs", "when", "type")

Reason = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S", description="Goes into the audit log.")]
StepKey = Annotated[str, Field(min_length=1, max_length=64, description="The step's key in the plan.")]
Digest = Annotated[str, Field(max_length=64, description="The digest that was shown.")]
Evidence = Annotated[str, Field(max_length=65_536, description="What the claim rests on: a link, a log, a commit.")]
Outputs = Annotated[dict[str, Any], Field(max_length=200, description="Outputs in place of the step's own.")]
B = TypeVar("B", bound=BaseModel)


class Draft(BaseModel):
    """Anything that may become a plan."""

    model_config = ConfigDict(extra="allow")


class Launch(Shape):
    """Values for the plan's inputs."""

    inputs: Annotated[dict[str, Scalar | None], Field(max_length=100)] = {}
    version: Annotated[int, Field(ge=1, le=10**6), schema.PLAIN] | None = None


class Decide(Shape):
    """One person's word on exactly the digest that was shown."""

    step_key: StepKey
    decision: Literal["approve", "reject"]
    reason: Reason
    digest: Digest
    approval_id: Annotated[str, Field(max_length=64)] | None = None


class Pause(Shape):
    reason: Reason


class Resume(Shape):
    step_key: StepKey | None = None
    reason: Reason
    impact_digest: Digest = ""


class Reconcile(Shape):
    """Nothing is asked but that it be done."""


class Cancel(Shape):
    reason: Reason
    impact_digest: Digest = ""


class RetryStep(Shape):
    step_key: StepKey
    reason: Reason
    restore_workspace: Annotated[bool, Field(strict=True)] = False
    impact_digest: Digest = ""


class SkipStep(Shape):
    step_key: StepKey
    reason: Reason
    evidence: Evidence = ""
    outputs: Outputs = {}
    impact_digest: Digest = ""


class OverrideStep(Shape):
    """Ask that a step which the rules deny runs all the same."""

    step_key: StepKey
    reason: Reason


class Revoke(Shape):
    """Take back an approval that nothing has used."""

    step_key: StepKey
    reason: Reason


class ResolveStep(Shape):
    step_key: StepKey
    outcome: Literal["succeeded", "failed"]
    reason: Reason
    evidence: Evidence = ""
    outputs: Outputs = {}


class Replan(Shape):
    steps: Annotated[list[schema.Step], Field(min_length=1, max_length=schema.MAX_STEPS)]
    reason: Reason
    impact_digest: Digest = ""


class PolicyCheck(Shape):
    """A step as it would stand in a plan."""

    project: schema.Slug
    feature: schema.Slug = "policy-check"
    step: schema.Step


class SingleBase(Shape):
    project: schema.Slug
    feature: schema.Slug


def _single(name: str, step: type[BaseModel], kind: Any) -> type[BaseModel]:
    fields: dict[str, Any] = {
        field: (info.annotation, info) for field, info in step.model_fields.items() if field not in NOT_SINGLE
    }
    return create_model(name, __base__=SingleBase, type=(kind, kind.__args__[0]), **fields)


SingleCommand = _single("SingleCommand", schema.CommandStep, Literal["command"])
SingleSdk = _single("SingleSdk", schema.SdkStep, Literal["sdk"])


class SingleStep(SingleBase):
    """The same, with the work as a plan has it."""

    step: Annotated[schema.CommandStep | schema.SdkStep, Field(discriminator="type")]


class StopSingle(Shape):
    reason: Reason = "Asked for without a reason."


class DecideSingle(Shape):
    decision: Literal["approve", "reject"]
    reason: Reason
    digest: Digest
    step_key: StepKey | None = None
    approval_id: Annotated[str, Field(max_length=64)] | None = None


SHAPES: tuple[type[BaseModel], ...] = (
    schema.Plan, Draft, Launch, Decide, Pause, Resume, Reconcile, Cancel, RetryStep, SkipStep, OverrideStep, Revoke,
    ResolveStep, Replan, PolicyCheck, SingleCommand, SingleSdk, SingleStep, StopSingle, DecideSingle,
)  # fmt: skip


def takes(*shapes: type[BaseModel], required: bool = True) -> dict[str, Any]:
    """The body of an operation, for the OpenAPI document."""
    refs = [{"$ref": f"#/components/schemas/{shape.__name__}"} for shape in shapes]
    content = {"application/json": {"schema": refs[0] if len(refs) == 1 else {"anyOf": refs}}}
    return {"requestBody": {"required": required, "content": content}}


def read_body(request: HttpRequest, shape: type[B], *, limit: int = MAX_BODY, default: bytes = b"") -> B:
    """What is asked, in this shape; `default` where nothing is sent. Raises WrongMediaType, TooLarge, InvalidPlan."""
    data = read_data(request, limit=limit, default=default)
    plan_text.check_data(data)
    return checked(shape, data)


def read_data(request: HttpRequest, *, limit: int = MAX_BODY, default: bytes = b"") -> dict[str, Any]:
    """A JSON object, parsed without surprises."""
    # Not `request.body`: its limit is one for all.
    raw = request.read(limit + 1)
    if len(raw) > limit:
        raise TooLarge(f"The body may have at most {limit} bytes.")
    if raw and request.content_type != "application/json":
        raise WrongMediaType
    if not raw and not default:
        raise InvalidPlan([{"path": "body", "message": "Send a JSON object as the body."}])
    data = plan_text.read_json(raw or default, place="body")
    if not isinstance(data, dict):
        raise InvalidPlan([{"path": "body", "message": "The body must be a JSON object."}])
    return data


def checked(shape: type[B], data: Any) -> B:
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        raise InvalidPlan(schema.errors_of(error)) from None
