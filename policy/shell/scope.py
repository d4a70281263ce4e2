"""What is known while a line is read: folder, variables, what earlier commands changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.shell import marks

if TYPE_CHECKING:
    from policy.shell.words import Word

Values = tuple[str, ...]
MANY: Values = (marks.MANY,)


class Elements(tuple[str, ...]):
    """An array whose elements are known. As one value it may be anything; it is itself only, so that what a branch
    put in its place is told from it."""

    words: tuple[Word, ...]

    def __new__(cls, words: tuple[Word, ...]) -> Elements:
        made = super().__new__(cls, MANY)
        made.words = words
        return made

    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__


NUMBERS = ("CCDASH_RUN_NUMBER", "CCDASH_ATTEMPT", "CCDASH_TOKEN", "RANDOM", "LINENO", "PPID", "UID", "EUID")
SLUGS = ("CCDASH_RUN_ID", "CCDASH_STEP_KEY", "CCDASH_PROJECT", "HOSTTYPE", "OSTYPE")
KNOWN: Mapping[str, Values] = {
    **dict.fromkeys(NUMBERS, (marks.NUMBER,)),
    **dict.fromkeys(SLUGS, (marks.SLUG,)),
    # A run need not belong to a feature.
    "CCDASH_FEATURE": ("", marks.SLUG),
    "CCDASH_OUTPUT": (marks.OUTPUT,),
    "CCDASH_ARTIFACTS": (marks.ARTIFACTS,),
    "CCDASH_WORKSPACE": (marks.WORKSPACE,),
    "TMPDIR": (marks.TEMPORARY,),
    "HOME": (marks.HOME,),
}


@dataclass
class Scope:
    """`cwds`: every folder the line may be in, relative to the workspace; None is anywhere.

    `environment`: names the step sets; `granted`: secrets it was given by name.
    """

    root: str
    cwds: tuple[str | None, ...] = ("",)
    variables: dict[str, Values] = field(default_factory=lambda: dict(KNOWN))
    environment: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()
    strict: bool = False  # set -e: a command that fails ends the line
    left: tuple[tuple[str | None, ...], ...] = ()  # folders that pushd left
    positional: tuple[Word, ...] | None = None  # $1 and so on, inside a function of the line

    def copy(self) -> Scope:
        return replace(self, variables=dict(self.variables))

    def join(self, other: Scope) -> None:
        """After a fork in the road either may have happened."""
        self.cwds = tuple(dict.fromkeys(self.cwds + other.cwds))
        self.strict = self.strict and other.strict
        self.left = self.left if self.left == other.left else ()
        for name in self.variables.keys() | other.variables.keys():
            mine, theirs = self.look_up(name), other.look_up(name)
            if mine != theirs:
                self.variables[name] = _union(mine, theirs)

    def look_up(self, name: str) -> Values:
        return self.variables.get(name, MANY)


def _union(mine: Values, theirs: Values) -> Values:
    both = tuple(dict.fromkeys(mine + theirs))
    if marks.MANY in both or len(both) > 32:
        return MANY
    return both
