"""The tables of programs: which are known, and by whom they are judged.

To add a program: a line in the table it belongs to, everyday lines in the corpus that use it, and lines that must
not pass.
"""

from __future__ import annotations

from policy.shell.grammar import Program
from policy.shell.programs import (
    building,
    builtins,
    compilers,
    documents,
    files,
    git,
    interpreters,
    native_tools,
    packages,
    project_runners,
    python_tools,
    reading,
    ruby_php_tools,
    scripts,
    toolchains,
    web_tools,
    wrappers,
)
from policy.shell.walk import Judge

KNOWN: dict[str, Program] = {
    **reading.PROGRAMS,
    **files.PROGRAMS,
    **documents.PROGRAMS,
    **python_tools.PROGRAMS,
    **web_tools.PROGRAMS,
    **ruby_php_tools.PROGRAMS,
    **native_tools.PROGRAMS,
}
SPECIAL: dict[str, Judge] = {
    **builtins.SPECIAL,
    **reading.SPECIAL,
    **scripts.SPECIAL,
    **files.SPECIAL,
    **git.SPECIAL,
    **building.SPECIAL,
    **compilers.SPECIAL,
    **toolchains.SPECIAL,
    **python_tools.SPECIAL,
    **web_tools.SPECIAL,
    **packages.SPECIAL,
    **project_runners.SPECIAL,
    **interpreters.SPECIAL,
    **wrappers.SPECIAL,
}
