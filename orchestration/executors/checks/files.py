"""Is a file there, is it large enough, does its text match."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from orchestration.workspace import Workspace, WorkspaceError
from policy.expressions import ExpressionError, compile_expression

READ_BYTES = 1024 * 1024
PATTERN_LENGTH = 1000
# Patterns of the expression language are matched in linear time, so none of them can hang a worker.
MATCHES = "text.matches(pattern)"


def inspect_file(check: Mapping[str, Any], workspace: Workspace, _: Mapping[str, Any]) -> str:
    path = check["path"]
    is_there = os.path.lexists(workspace.root / workspace.within(path)) or os.path.lexists(workspace.root / path)
    if not check.get("exists", True):
        return f"{path} is there and should not be." if is_there else ""
    if not is_there:
        return f"{path} is not there."
    if workspace.resolve(path).is_dir():
        return _of_no_file(check)
    with os.fdopen(workspace.open_beneath(path), "rb") as file:
        size, wanted = os.fstat(file.fileno()).st_size, check.get("min_bytes") or 0
        if size < wanted:
            return f"{path} has {size} bytes; at least {wanted} are wanted."
        return _mismatch(check, file.read(READ_BYTES)) if check.get("matches") else ""


def read_document(workspace: Workspace, path: str, limit: int) -> bytes:
    """The whole of a regular file that must not be larger than `limit`."""
    with os.fdopen(workspace.open_beneath(path), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise WorkspaceError(f"{path} is larger than the {limit} bytes that are read for a check.")
    return data


def _of_no_file(check: Mapping[str, Any]) -> str:
    """A folder can be asked to exist and nothing more."""
    asks_more = check.get("min_bytes") or check.get("matches")
    return f"{check['path']} is no regular file." if asks_more else ""


def _mismatch(check: Mapping[str, Any], data: bytes) -> str:
    pattern = check["matches"]
    if len(pattern) > PATTERN_LENGTH:
        return f"The pattern is longer than {PATTERN_LENGTH} characters."
    values = {"text": data.decode(errors="replace"), "pattern": pattern}
    try:
        found = compile_expression(MATCHES, frozenset(values)).evaluate_bool(values)
    except ExpressionError as error:
        return f"The pattern can't be used: {error}"
    return "" if found else f"Nothing in the first {READ_BYTES} bytes of {check['path']} matches {pattern!r}."
