"""A fuzzer driven by the OpenAPI document: whatever it sends, the answer is one that the document promises.

What no schema can say (a step that needs an unknown one, an input that the plan lacks) is refused with 422, too: there
the body must at least have had the shape that the document asks for.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from pydantic import BaseModel
from schemathesis.specs.openapi.checks import positive_data_acceptance

from orchestration import plan_text
from orchestration.api import bodies
from orchestration.schema import Plan
from tests.api.people import ROOT, with_token
from tests.orchestration import runs
from tests.orchestration.runs import Team

# Their bodies are made of what `create_workflow` is walked through with.
ALIKE = ["create_version", "replan", "start_single_run", "check_policy"]
CONFIG = {"operations": [{"include-operation-id": ALIKE, "phases": {"coverage": {"enabled": False}}}]}
SHAPES: dict[str, tuple[type[BaseModel], ...]] = {
    "create_workflow": (Plan,),
    "create_version": (Plan,),
    "launch_run": (bodies.Launch,),
    "replan": (bodies.Replan,),
    "skip_step": (bodies.SkipStep,),
    "resolve_step": (bodies.ResolveStep,),
    "start_single_run": (bodies.SingleStep, bodies.SingleCommand, bodies.SingleSdk),
}
QUIET = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
}
api = schemathesis.openapi.from_wsgi(
    f"{ROOT}/openapi.json", WSGIHandler(), config=schemathesis.Config.from_dict(CONFIG)
)
Known = dict[str, str]
Ask = Callable[[schemathesis.Case], None]


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """The calls are made within the test's transaction, so nobody else may close its connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def known(team: Team) -> Known:
    """Ids of what is there, so that not every generated call ends at 404."""
    gate = {"gate": {"type": "approval"}}
    run = runs.settle(runs.launch(team, "first >> gate >> last", gate, inputs={}))
    return {"workflow_id": str(run.workflow_id), "run_id": str(run.pk), "step_key": "first"}


@pytest.fixture
def headers(team: Team) -> dict[str, str]:
    """Of somebody who may do almost everything."""
    team.ada.is_superuser = True
    team.ada.save()
    return with_token(team.ada, may_approve=True).headers


@pytest.fixture
def ask(headers: dict[str, str], known: Known) -> Ask:
    """Sends a generated call, every other time to what is there."""
    turn: Iterator[bool] = itertools.cycle([True, False])

    def sent(case: schemathesis.Case) -> None:
        if next(turn):
            case.path_parameters.update({name: known[name] for name in known.keys() & case.path_parameters.keys()})
        answer = case.call(headers=headers)
        case.validate_response(answer, headers=headers, excluded_checks=_beyond_any_schema(case, answer.status_code))

    return sent


def _beyond_any_schema(case: schemathesis.Case, status: int) -> list[Any]:
    shapes = SHAPES.get(case.operation.definition.raw["operationId"])
    is_refused = status == 422 and case.meta is not None and case.meta.generation.mode.is_positive
    if shapes is None or not is_refused:
        return []
    plan_text.check_data(case.body)
    assert any(_has(shape, case.body) for shape in shapes), case.body
    return [positive_data_acceptance]


def _has(shape: type[BaseModel], body: Any) -> bool:
    try:
        bodies.checked(shape, body)
    except bodies.InvalidPlan:
        return False
    return True


@api.parametrize()
@settings(max_examples=12, **QUIET)  # type: ignore[arg-type]
def test_every_answer_is_one_that_the_document_promises(case: schemathesis.Case, ask: Ask) -> None:
    ask(case)


def test_calls_that_build_on_each_other_are_answered_as_promised(headers: dict[str, str]) -> None:
    class Walk(api.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": headers}

        def validate_response(self, response: Any, case: schemathesis.Case, **more: Any) -> None:
            beyond = _beyond_any_schema(case, response.status_code)
            case.validate_response(response, headers=headers, excluded_checks=beyond)

    Walk.run(settings=settings(max_examples=8, stateful_step_count=6, **QUIET))  # type: ignore[arg-type]
