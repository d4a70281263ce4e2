"""The OpenAPI document and the page made of it."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tests.api.people import ROOT

PROMISED = """
POST /workflows, GET /workflows, GET /workflows/{}, POST /workflows/validate, POST /workflows/{}/runs,
GET /workflow-runs, GET /workflow-runs/{}, POST /workflow-runs/{}/approve, POST /workflow-runs/{}/resume,
POST /workflow-runs/{}/cancel, POST /workflow-runs/{}/retry-step, POST /workflow-runs/{}/skip-step,
POST /workflow-runs/{}/pause, POST /workflow-runs/{}/replan, POST /workflow-runs/{}/resolve-step,
GET /workflow-runs/{}/impact, GET /workflow-runs/{}/events, GET /workflow-runs/{}/steps/{}/log,
GET /workflow-runs/{}/artifacts, GET /workflow-runs/{}/report, GET /artifacts/{}, GET /artifacts/{}/content,
POST /workflow-runs/{}/reconcile, POST /runs/{}/reconcile,
GET /approvals, POST /policy-check, POST /runs, GET /runs/{}, POST /runs/{}/cancel, POST /runs/{}/retry,
POST /runs/{}/approve, GET /providers, GET /projects, GET /features
"""


@pytest.fixture
def document(db: None, client: Client) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    answer = client.get(f"{ROOT}/openapi.json")
    assert answer.status_code == 200
    return answer.json()  # type: ignore[no-any-return]


def test_everything_promised_is_described(document: dict[str, dict[str, dict[str, object]]]) -> None:
    described = {
        f"{method.upper()} {re.sub(r'{.*?}', '{}', path.removeprefix(ROOT))}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert {call.strip() for call in PROMISED.split(",")} <= described


def test_every_operation_says_how_it_refuses(document: dict[str, dict[str, dict[str, dict[str, object]]]]) -> None:
    assert document["openapi"] == "3.1.0"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            told: dict[str, dict[str, object]] = operation["responses"]  # type: ignore[assignment]
            assert {"401", "422", "503"} <= told.keys(), path
            refusals = [told[status]["content"] for status in told if status >= "400"]
            assert all(list(content) == ["application/problem+json"] for content in refusals)  # type: ignore[call-overload]
            keys = [p for p in operation["parameters"] if p["name"] == "Idempotency-Key"]  # type: ignore[attr-defined]
            assert len(keys) == (method == "post")


def test_the_page_needs_nothing_from_elsewhere_and_no_inline_script(db: None, client: Client) -> None:
    answer = client.get(f"{ROOT}/docs")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "/api/execution/workflow-runs/{run_id}/approve" in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]*src=)", page)
    assert not re.search(r"\sstyle=", page)
