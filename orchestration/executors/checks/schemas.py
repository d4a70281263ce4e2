"""Does a document satisfy a JSON Schema: asked in a short-lived process with limits.

A schema can hold patterns and references that take for ever, and comes from whoever wrote the plan; a
process can be ended, a thread can't. References are resolved within the schema alone, never fetched.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.executors.checks.files import read_document
from orchestration.workspace import Workspace

READ_BYTES = 1024 * 1024
SECONDS = 10
MEMORY_BYTES = 1024 * 1024 * 1024
PROJECT = Path(__file__).resolve().parents[3]
BOOT = "import sys; sys.path.append(sys.argv[1]); from orchestration.executors.checks.schemas import answer; answer()"


def inspect_document(check: Mapping[str, Any], workspace: Workspace, scope: Mapping[str, Any]) -> str:
    if check.get("path"):
        what = check["path"]
        text: Any = read_document(workspace, what, READ_BYTES)
    else:
        what = f"Output {check.get('output')}"
        text = output_named(str(check.get("output")), scope)
        if text is None:
            return f"{what} was not set; it is named as STEP.OUTPUT."
    try:
        document = json.loads(text) if isinstance(text, str | bytes) else text
    except (ValueError, RecursionError):
        return f"{what} is no JSON."
    return _ask({"document": document, "schema": check["schema"]}, what)


def output_named(name: str, scope: Mapping[str, Any]) -> Any:
    """`STEP.NAME`, or as expressions say it, `steps.STEP.outputs.NAME`."""
    step, _, rest = name.removeprefix("steps.").partition(".")
    outputs = ((scope.get("steps") or {}).get(step) or {}).get("outputs") or {}
    return outputs.get(rest.removeprefix("outputs."))


def _ask(question: Mapping[str, Any], what: str) -> str:
    try:
        asked = subprocess.run(
            [sys.executable, "-I", "-c", BOOT, str(PROJECT)],
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=SECONDS + 5,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{what} could not be compared with the schema in {SECONDS} seconds."
    if asked.returncode != 0:
        return f"{what} could not be compared with the schema within its limits."
    finding = asked.stdout.decode(errors="replace").strip()
    return f"{what}: {finding}" if finding else ""


def answer() -> None:
    """In the short-lived process: the first thing that is wrong, or nothing."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    question = json.loads(sys.stdin.buffer.read())
    sys.stdout.write(compare(question["document"], question["schema"]))


def compare(document: Any, schema: Any) -> str:
    import jsonschema
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
        error = next(iter(kind(schema, registry=Registry()).iter_errors(document)), None)
    except jsonschema.SchemaError as problem:
        return f"the schema itself is not valid: {problem.message[:300]}"
    except Unresolvable as problem:
        return f"the schema refers to something outside itself: {str(problem)[:300]}"
    return "" if error is None else f"{error.json_path[:200]}: {error.message[:300]}"
