"""A bash line to facts: what each command in it does, however it is wrapped, quoted or nested.

Pure: text in, facts out, no file is touched. Its answers are advice for people and rules, never the boundary; the
sandbox is. Called by policy.risk alone.
"""

from __future__ import annotations

import functools

from policy.shell.classify import classify
from policy.shell.facts import CLASSES, CommandFacts, Finding, LineFacts
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.screen import screen
from policy.shell.source import parse
from policy.shell.walk import Walk

# Goes up whenever a line may be read differently: part of every verdict's version.
VERSION = "3"

__all__ = ["CLASSES", "VERSION", "CommandFacts", "Finding", "LineFacts", "read_line"]


@functools.lru_cache(maxsize=4096)
def read_line(
    line: str,
    *,
    root: str = "",
    cwd: str = "",
    environment: frozenset[str] = frozenset(),
    granted: frozenset[str] = frozenset(),
) -> LineFacts:
    """`root`: the workspace, absolute; `cwd`: relative to it. `environment`: names that the step or plan sets;
    `granted`: names of the secrets the step is given."""
    refusal = screen(line)
    if refusal is not None:
        return LineFacts((), (refusal,))
    source = parse(line)
    record = Record()
    if not line.strip():
        return LineFacts((), (Finding("invalid", "The command is empty."),))
    scope = _scope(root, cwd, environment | granted, granted)
    try:
        Walk(source, record, classify).visit(source.root, scope)
    except RecursionError:
        record.say("unknown", "Nested too deeply to be understood.")
    if not source.valid:
        record.say("invalid", f"The command is not valid bash{source.fault}.")
    elif source.doubt:
        record.say("unknown", f"The command {source.doubt}.")
    _together(record)
    return record.facts()


def _scope(root: str, cwd: str, environment: frozenset[str], granted: frozenset[str]) -> Scope:
    scope = Scope(root, (cwd,), environment=environment, granted=granted)
    for name in environment:
        scope.variables.pop(name, None)
    return scope


def _together(record: Record) -> None:
    """What is harmless alone and not together."""
    if record.has("secret_read", "credentials", "environment_read") and record.has("network", "remote", "push"):
        record.say("exfiltration", "Reads secrets and talks to the network in one line.")
    if record.wrote_code and record.ran_code:
        record.say("code", "Writes files of the project and runs the project's code in one line.")
    if not record.findings:
        record.say("compute", "Touches no file and runs no program.")
