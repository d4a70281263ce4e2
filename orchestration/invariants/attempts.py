"""Attempts one by one and side by side: 8, 9, 10, 23, 24, 29."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from orchestration.invariants.breach import Breach
from orchestration.invariants.facts import AttemptRow, RunFacts, StepRow
from orchestration.invariants.history import History

# What a command is given beside what the plan grants it; orchestration.executors.environment builds it.
FIXED = frozenset({"PATH", "HOME", "TMPDIR", "LANG", "TERM"})
OURS = ("CCDASH_", "GIT_")


def check(facts: RunFacts, history: History) -> Iterator[Breach]:
    started = Counter(start.key for start in history.starts)
    known = {start.attempt: start.granted for start in history.starts}
    inserted = Counter(step.key for step in facts.steps for _ in facts.attempts.get(step.id, ()))
    for step in facts.steps:
        attempts = facts.attempts.get(step.id, [])
        yield from _open(step, attempts)
        yield from _tokens(step, attempts)
        for attempt in attempts:
            if str(attempt.id) not in known:
                yield _of(step, 10, f"Attempt {attempt.number} was started, and no event tells of it.")
            yield from _place(facts, step, attempt, known.get(str(attempt.id), ()))
    for key in sorted({*started, *inserted}):
        if started[key] != inserted[key]:
            message = f"Events tell of {started[key]} starts, and there are {inserted[key]} attempts."
            yield Breach(10, message, facts.run.id, key)
    yield from _usage(facts)


def _open(step: StepRow, attempts: Sequence[AttemptRow]) -> Iterator[Breach]:
    opened = [attempt for attempt in attempts if attempt.finished_at is None]
    if len(opened) > 1:
        yield _of(step, 8, f"{len(opened)} attempts are open at once.")
    if (step.state == "running") != bool(opened):
        yield _of(step, 8, f"The step is {step.state}, and {len(opened) or 'no'} attempt is open.")
    if opened and step.execution_run_id not in [attempt.id for attempt in opened]:
        yield _of(step, 8, "The open attempt is not the one that the step names.")


def _tokens(step: StepRow, attempts: Sequence[AttemptRow]) -> Iterator[Breach]:
    """They come in the order of their tokens."""
    for before, after in pairwise(attempts):
        if after.token <= before.token or after.started_at < before.started_at:
            yield _of(step, 9, f"The token {after.token} does not follow on {before.token} in time.")
        if before.finished_at is None or before.finished_at > after.started_at:
            yield _of(step, 9, f"The attempt with token {before.token} was written after {after.token} had begun.")
    newest = attempts[-1].token if attempts else 0
    if newest != step.token:
        yield _of(step, 9, f"The step's token is {step.token}, its newest attempt's {newest}.")


def _place(facts: RunFacts, step: StepRow, attempt: AttemptRow, profile: Sequence[str]) -> Iterator[Breach]:
    if not _is_inside(attempt.cwd, facts.run.workspace_path):
        yield _of(step, 23, f"Attempt {attempt.number} worked in {attempt.cwd[:200]!r}, outside the workspace.")
    definition = facts.plan.definitions.get(step.key)
    if definition is None:
        return
    granted = {*facts.plan.env, *definition.get("env", {}), *(definition.get("secrets") or ()), *profile, *FIXED}
    names = attempt.env_names if isinstance(attempt.env_names, list) else [attempt.env_names]
    foreign = [str(name) for name in names if name not in granted and not str(name).startswith(OURS)]
    if foreign:
        yield _of(step, 24, f"Attempt {attempt.number} was given {', '.join(sorted(foreign)[:5])} without a grant.")


def _is_inside(cwd: str, workspace: str) -> bool:
    path = PurePosixPath(cwd or ".")
    if path.is_absolute():
        return bool(workspace) and ".." not in path.parts and path.is_relative_to(workspace)
    depth = 0
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True


def _usage(facts: RunFacts) -> Iterator[Breach]:
    for name in ("input_tokens", "output_tokens"):
        spent = sum(_number(attempt.usage, name) for attempt in facts.all_attempts())
        if spent != getattr(facts.run, name):
            message = f"The run counts {getattr(facts.run, name)} {name}, its attempts {spent}."
            yield Breach(29, message, facts.run.id)


def _number(usage: object, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) else 0


def _of(step: StepRow, invariant: int, message: str) -> Breach:
    return Breach(invariant, message, step.run_id, step.key)
