"""Names of scripts, targets, tasks and environments: which of them by their name test, check or build."""

from __future__ import annotations

import re

from policy.shell.kinds import NotKnown
from policy.shell.record import Record
from policy.shell.words import Word

_CHECKS = (
    "tests?|testing|lint|linters?|linting|checks?|builds?|all|units?|typechecks?|types?|tsc|mypy|ruff|pytest|flake8|pylint|pyright|eslint|stylelint|prettier|biome|jest|vitest"
    "|verify|compile|vet|coverage|cov|ci|help|docs?|html|style|styles|spell|spelling|spellcheck|linkcheck|size|doctor|bench|benchmark|integration|e2e|smoke|validate|validation|qa|quality|static|analyze|analyse|analysis|audit|typing"
    "|fast|quick|specs?|rspec|rubocop|clippy|phpstan|phpcs|phpunit|psalm|pest|stan|functional|regression|acceptance|snapshot|a11y|bundle|compilation|unittests?|doctest|doctests|black|isort|bandit|security|pep8|isolated|minimal"
)
_WORD = re.compile(_CHECKS)
_PAIRED = re.compile(
    r"(format|fmt|formatting|code|deps|licenses?|sort|spell|docs)[-_:](check|test|lint|ci)|cs[-_:]?check|checkstyle|codestyle|ktlint(Check)?"
)
_PYTHON = re.compile(r"py(py)?\d*(\.\d+)*(t)?")
# A build for another environment is a build all the same.
_BUILT_FOR = re.compile(r"[-_:](prod|production|staging|dev|development)$")
# Words that make any name reach further than this run, or wait for ever.
_FURTHER = re.compile(
    r"deploy|publish|release|upload|promote|push|install|clean|delete|drop|reset|destroy|purge|prune|wipe|nuke|remove|fix|write|update|upgrade|migrat|seed|rollback"
    r"|docker|container|image|remote|prod(?!uct)|staging|sudo|root|ssh|aws|gcp|azure|kube|terraform|apply|sync|download|fetch|login|secret|token|watch|start|serve|dev\b|shell|repl|exec|shutdown|kill"
)  # fmt: skip


def tests_or_builds(record: Record, name: str) -> bool:
    """The first or the last part of the name says that it tests, checks or builds, and no part says more."""
    if re.search(r"deploy|publish|release|upload|promote", name):
        record.say("deploy", f"Runs the project's script {name[:60]}, which by its name reaches further than this run.")
    if not re.fullmatch(r"[\w:./@-]+", name) or _reaches_further(name):
        return False
    parts = [part for part in re.split(r"[-_:./@]", re.sub(r"([a-z])([A-Z])", r"\1-\2", name).lower()) if part]
    return bool(parts) and bool(_WORD.fullmatch(parts[0]) or _WORD.fullmatch(parts[-1]) or _PAIRED.fullmatch(name))


def _reaches_further(name: str) -> bool:
    lowered = name.lower()
    return bool(_FURTHER.search(_BUILT_FOR.sub("", lowered) if lowered.startswith("build") else lowered))


def environments(record: Record, word: Word) -> None:
    """What tox and nox are told to run: Python versions and checks, in any mixture."""
    for name in (word.text or "?").split(","):
        python = _PYTHON.fullmatch(re.split("[-_]", name)[0]) and not _reaches_further(name)
        if not python and not tests_or_builds(record, name):
            raise NotKnown(f"the environment {name[:60]} may do anything")
