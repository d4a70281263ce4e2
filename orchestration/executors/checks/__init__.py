"""The kinds of checks that look instead of running something: each a function from a check to a finding.

A finding is empty when the check passes, else a sentence that says what was found. A new kind is a file
and a line in LOOKING. Checks that run a command are the validation executor's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestration.executors.base import CheckResult
from orchestration.executors.checks.files import inspect_file
from orchestration.executors.checks.junit import inspect_junit
from orchestration.executors.checks.schemas import inspect_document
from orchestration.workspace import Workspace, WorkspaceError
from policy.expressions import ExpressionError, compile_expression

VARIABLES = frozenset({"inputs", "steps", "run", "feature", "project"})

Check = Mapping[str, Any]
Looking = Callable[[Check, Workspace, Mapping[str, Any]], str]


def inspect_expression(check: Check, _: Workspace | None, scope: Mapping[str, Any]) -> str:
    try:
        holds = compile_expression(check["expression"], VARIABLES | frozenset(scope)).evaluate_bool(scope)
    except ExpressionError as error:
        return f"The expression has no answer: {error}"
    return "" if holds else f"The expression is false: {check['expression'][:200]}"


LOOKING: dict[str, Looking] = {
    "file": inspect_file,
    "json_schema": inspect_document,
    "junit": inspect_junit,
    "expression": inspect_expression,
}


def evaluate_expression_check(check: Check, scope: Mapping[str, Any]) -> CheckResult:
    """Pure: what the engine settles by itself when a step has no other checks."""
    return result(check, inspect_expression(check, None, scope))


def look(check: Check, workspace: Workspace, scope: Mapping[str, Any]) -> CheckResult:
    try:
        return result(check, LOOKING[check["kind"]](check, workspace, scope))
    except WorkspaceError as error:
        return result(check, str(error))


def result(check: Check, finding: str) -> CheckResult:
    return CheckResult(
        name=name_of(check),
        kind=check["kind"],
        passed=not finding,
        required=bool(check.get("required", True)),
        message=finding or "passed",
    )


def name_of(check: Check) -> str:
    told = (
        check.get("name") or check.get("path") or check.get("output") or check.get("command") or check.get("expression")
    )
    return str(told or check["kind"])[:200]
