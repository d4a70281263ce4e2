"""The tables of programs: which are known, and by whom they are judged.

To add a program: a line in the table it belongs to, everyday lines in the corpus that use it, and lines that must
not pass.
"""

from __future__ import annotations

from policy.shell.grammar import Program
from policy.shell.programs import building, builtins, files, git, interpreters, packages, reading, wrappers
from policy.shell.walk import Judge

KNOWN: dict[str, Program] = {**reading.PROGRAMS, **files.PROGRAMS, **building.PROGRAMS}
SPECIAL: dict[str, Judge] = {
    **builtins.SPECIAL,
    **reading.SPECIAL,
    **files.SPECIAL,
    **git.SPECIAL,
    **building.SPECIAL,
    **packages.SPECIAL,
    **interpreters.SPECIAL,
    **wrappers.SPECIAL,
}
