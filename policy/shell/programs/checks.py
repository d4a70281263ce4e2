"""Rows of the tables for programs that run the project's tests, checks or build."""

from __future__ import annotations

from collections.abc import Callable

from policy.shell import marks
from policy.shell.grammar import Program, Used, take_operands
from policy.shell.kinds import NotKnown
from policy.shell.record import Record
from policy.shell.scope import Scope

# An operand that by its look is a path inside the workspace, and no subcommand.
PATH = rf"(?!/)(?!.*\.\.)[\w@.{marks.STAR}*-]*[./*{marks.STAR}][^:]{{0,}}"
SAYS = "Runs the project's tests, checks or build."


def runs(flags: str = "", operands: str = "target*", **more: bool) -> Program:
    """It runs code of the project, which is what a run is for; so a file of the project can't make it worse."""
    return Program(flags, operands, "check", SAYS, runs=True, found=True, **more)  # type: ignore[arg-type]


def only_checks(flags: str, *must: str) -> Program:
    """A formatter that only checks where it is told to; else it changes files."""
    return Program(flags, "", "check", SAYS, found=True, check=_told(*must))


def _told(*names: str) -> Callable[[Used, Record, Scope], None]:
    def check(used: Used, record: Record, scope: Scope) -> None:
        take_operands("target*", used.operands, record, scope)
        if not used.has(*names):
            raise NotKnown("it rewrites files where it isn't told to only check")

    return check
