"""Validation steps: each kind of check, and what all of them together mean."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration.executors import executor_for
from orchestration.executors.base import ExecutionLimits, Outcome
from orchestration.executors.checks import evaluate_expression_check
from orchestration.spool import Spool
from tests.orchestration.fakes import FakeHost, make_context
from tests.orchestration.processes_of_tests import until

pytestmark = pytest.mark.pure

VALIDATION = executor_for("validation")
SCOPE = {"inputs": {"level": 3}, "steps": {"build": {"outputs": {"report": '{"ok": true}'}}}, "run": {"number": 1}}
JUNIT = """<testsuites xmlns="urn:x"><testsuite name="s"><testcase classname="a" name="one"/>
<testcase classname="a" name="two"><failure message="no"/></testcase><testcase name="three"><error/></testcase>
<testcase name="four"><skipped/></testcase></testsuite></testsuites>"""


def context_of(folder: Path, *checks: dict[str, Any], **changes: Any) -> Any:
    facts = {"scope": SCOPE, "step_type": "validation", **changes}
    definition = {"type": "validation", "checks": list(checks), **facts.pop("definition", {})}
    return make_context(folder, definition=definition, **facts)


def validate(folder: Path, *checks: dict[str, Any], host: FakeHost | None = None, **changes: Any) -> Outcome:
    return VALIDATION.execute(context_of(folder, *checks, **changes), host or FakeHost())


def finding(folder: Path, **check: Any) -> str:
    """Empty when the one check passes, else its message."""
    (result,) = validate(folder, check).checks
    return "" if result.passed else result.message


def lay(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / "workspace" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_all_checks_are_made_and_the_first_that_failed_is_named(tmp_path: Path) -> None:
    outcome = validate(
        tmp_path,
        {"kind": "expression", "expression": "inputs.level == 3"},
        {"kind": "command", "name": "Tests", "command": "echo three failed; exit 3"},
        {"kind": "file", "path": "missing.txt"},
        {"kind": "command", "command": "echo fine"},
    )

    assert (outcome.kind, outcome.reason) == ("failed", "validation")
    assert outcome.error == "Check 'Tests' failed: The command ended with exit code 3."
    assert [result.passed for result in outcome.checks] == [True, False, False, True]


def test_a_step_succeeds_when_only_what_is_not_required_fails(tmp_path: Path) -> None:
    outcome = validate(
        tmp_path,
        {"kind": "command", "command": "exit 1", "required": False},
        {"kind": "expression", "expression": "true"},
    )

    assert outcome.kind == "succeeded"
    assert [(result.passed, result.required) for result in outcome.checks] == [(False, False), (True, True)]


def test_the_output_of_all_commands_is_one_log_without_gap_or_overlap(tmp_path: Path) -> None:
    host = FakeHost()

    validate(tmp_path, *({"kind": "command", "command": f"echo {number}"} for number in range(3)), host=host)

    assert host.output() == b"0\n1\n2\n"


def test_a_command_of_a_check_can_leave_artifacts(tmp_path: Path) -> None:
    outcome = validate(
        tmp_path,
        {"kind": "command", "command": "echo x > report.xml"},
        definition={"artifacts": [{"name": "report", "path": "report.xml", "kind": "report"}]},
    )

    assert [item.name for item in outcome.artifacts] == ["report"]


def test_canceling_ends_the_check_that_runs_and_makes_no_other(tmp_path: Path) -> None:
    host = FakeHost(on_log=lambda host: setattr(host, "order", "cancel"))

    outcome = validate(
        tmp_path,
        {"kind": "command", "command": "echo ready; sleep 100"},
        {"kind": "command", "command": f"touch {tmp_path}/ran"},
        host=host,
        limits=ExecutionLimits(grace_seconds=0.5),
    )

    assert outcome.kind == "canceled"
    assert not (tmp_path / "ran").exists()


def test_the_time_limit_is_one_for_all_checks(tmp_path: Path) -> None:
    outcome = validate(
        tmp_path,
        {"kind": "expression", "expression": "true"},
        {"kind": "command", "command": "sleep 100"},
        {"kind": "command", "command": f"touch {tmp_path}/ran"},
        timeout_seconds=0.5,
        limits=ExecutionLimits(grace_seconds=0.3),
    )

    assert (outcome.kind, outcome.reason, len(outcome.checks)) == ("failed", "timeout", 1)
    assert not (tmp_path / "ran").exists()


def test_a_restarted_worker_makes_no_command_twice(tmp_path: Path) -> None:
    checks = [
        {"kind": "command", "command": f"echo first; echo x >> {tmp_path}/first"},
        {
            "kind": "command",
            "command": f"echo second; echo x >> {tmp_path}/second; until [ -e go ]; do sleep 0.05; done",
        },
        {"kind": "command", "command": f"echo third; echo x >> {tmp_path}/third"},
    ]
    context = context_of(tmp_path, *checks)
    script = f"""
import json, sys; sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from orchestration.executors import executor_for
from tests.orchestration.fakes import FakeHost, make_context
definition = {{"type": "validation", "checks": json.loads({json.dumps(json.dumps(checks))})}}
executor_for("validation").execute(make_context(Path({str(tmp_path)!r}), definition=definition), FakeHost())
"""
    server = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    until(lambda: list(Spool(context.spool / "check-2-0").frames(0)))
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()

    first_size = (context.spool / "check-1-0/output").stat().st_size
    host = FakeHost(offset=first_size, on_log=lambda _: (context.workspace / "go").touch())
    outcome = VALIDATION.execute(type(context)(**{**vars(context), "handle": {}}), host)

    assert outcome.kind == "succeeded"
    assert host.output() == b"second\nthird\n"
    assert [(tmp_path / name).read_text() for name in ("first", "second", "third")] == ["x\n"] * 3


def test_a_command_that_was_never_begun_is_begun_by_the_next_worker(tmp_path: Path) -> None:
    context = context_of(tmp_path, {"kind": "command", "command": f"echo x >> {tmp_path}/ran"}, handle={})
    Spool(context.spool / "check-1-0").prepare()

    assert VALIDATION.execute(context, FakeHost()).kind == "succeeded"
    assert (tmp_path / "ran").read_text() == "x\n"


# files


def test_a_file_must_be_there_or_must_not(tmp_path: Path) -> None:
    lay(tmp_path, "in/here.txt", "hello")

    assert finding(tmp_path, kind="file", path="in/here.txt") == ""
    assert "not there" in finding(tmp_path, kind="file", path="gone.txt")
    assert finding(tmp_path, kind="file", path="gone.txt", exists=False) == ""
    assert "should not be" in finding(tmp_path, kind="file", path="in/here.txt", exists=False)
    assert finding(tmp_path, kind="file", path="in") == ""
    assert "no regular file" in finding(tmp_path, kind="file", path="in", min_bytes=1)


def test_a_file_must_be_large_enough_and_match(tmp_path: Path) -> None:
    lay(tmp_path, "log.txt", "start\nall 42 tests passed\n")

    assert finding(tmp_path, kind="file", path="log.txt", min_bytes=10, matches=r"\d+ tests passed") == ""
    assert "at least 1000" in finding(tmp_path, kind="file", path="log.txt", min_bytes=1000)
    assert "matches" in finding(tmp_path, kind="file", path="log.txt", matches="failed")
    assert "can't be used" in finding(tmp_path, kind="file", path="log.txt", matches="(unclosed")


def test_a_pattern_made_to_take_for_ever_does_not(tmp_path: Path) -> None:
    lay(tmp_path, "log.txt", "a" * 1_000_000 + "!")

    assert "matches" in finding(tmp_path, kind="file", path="log.txt", matches="^(a+)+$")


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname", "link"])
def test_a_file_outside_the_workspace_is_not_looked_at(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("password")
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace/link").symlink_to(tmp_path / "secret")

    assert finding(tmp_path, kind="file", path=path, matches="password") != ""


# JSON Schema


def test_a_document_must_satisfy_its_schema(tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["version"], "properties": {"version": {"type": "integer"}}}
    lay(tmp_path, "good.json", '{"version": 2}')
    lay(tmp_path, "bad.json", '{"version": "2"}')
    lay(tmp_path, "broken.json", '{"version": ')

    assert finding(tmp_path, kind="json_schema", path="good.json", schema=schema) == ""
    assert "$.version" in finding(tmp_path, kind="json_schema", path="bad.json", schema=schema)
    assert "no JSON" in finding(tmp_path, kind="json_schema", path="broken.json", schema=schema)
    assert "not valid" in finding(tmp_path, kind="json_schema", path="good.json", schema={"type": 7})


def test_an_output_of_a_step_can_be_held_against_a_schema(tmp_path: Path) -> None:
    schema = {"properties": {"ok": {"const": True}}, "type": "object"}

    assert finding(tmp_path, kind="json_schema", output="build.report", schema=schema) == ""
    assert finding(tmp_path, kind="json_schema", output="steps.build.outputs.report", schema=schema) == ""
    assert "was not set" in finding(tmp_path, kind="json_schema", output="build.other", schema=schema)


@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/schema", "file:///etc/hostname"])
def test_a_schema_fetches_nothing(tmp_path: Path, reference: str) -> None:
    lay(tmp_path, "good.json", "{}")

    assert "outside itself" in finding(tmp_path, kind="json_schema", path="good.json", schema={"$ref": reference})


def test_a_schema_made_to_take_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.executors.checks.schemas.SECONDS", -4)
    lay(tmp_path, "long.json", json.dumps("a" * 50 + "!"))

    assert "could not be compared" in finding(
        tmp_path, kind="json_schema", path="long.json", schema={"pattern": "^(a+)+$"}
    )


# JUnit


def test_a_test_report_may_hold_so_many_failures(tmp_path: Path) -> None:
    lay(tmp_path, "report.xml", JUNIT)

    assert finding(tmp_path, kind="junit", path="report.xml", max_failures=2) == ""
    said = finding(tmp_path, kind="junit", path="report.xml")
    assert said == "2 of 4 tests failed, 0 may: a.two, three."


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<testsuite",
        "<testsuite/>",
        '<!DOCTYPE x [<!ENTITY a "b">]><testsuite><testcase name="&a;"/></testsuite>',
        "\0",
    ],
)
def test_a_report_that_proves_nothing_does_not_pass(tmp_path: Path, content: str) -> None:
    lay(tmp_path, "report.xml", content)

    assert finding(tmp_path, kind="junit", path="report.xml", max_failures=100) != ""


# expressions


@pytest.mark.parametrize(
    ("expression", "passed"),
    [
        ("inputs.level > 2", True),
        ("inputs.level > 5", False),
        ("inputs.nothing > 1", False),
        ("1 +", False),
        ("inputs.level", False),
    ],
)
def test_an_expression_must_be_true(expression: str, passed: bool) -> None:
    result = evaluate_expression_check({"kind": "expression", "expression": expression}, SCOPE)

    assert (result.passed, result.kind, result.required) == (passed, "expression", True)
    assert result.message


def test_a_definition_that_can_not_work_is_told_beforehand() -> None:
    assert VALIDATION.validate_config({"checks": []}) != []
    assert VALIDATION.validate_config({"checks": [{"kind": "telepathy"}]}) != []
    assert VALIDATION.validate_config({"checks": [{"kind": "file", "path": "x"}]}) == []
