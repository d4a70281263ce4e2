"""The tables of programs say one thing of each option, and nothing that the reader can't read."""

import re

import pytest

from policy.shell.grammar import Program, options
from policy.shell.programs import project_runners, toolchains, web_tools
from policy.shell.programs.registry import KNOWN, SPECIAL

ROWS = {
    **{(name,): program for name, program in KNOWN.items()},
    **{(name, verb): row for name, table in toolchains.SUBCOMMANDS.items() for verb, row in table.items()},
}


def names(program: Program) -> list[str]:
    return [re.split(r"\[=|[:=]", token, maxsplit=1)[0] for token in program.flags.split()]


def test_every_table_can_be_read():
    for program in ROWS.values():
        assert set(options(program.flags)) == set(names(program))


def test_no_option_is_given_two_meanings():
    twice = {}
    for row, program in ROWS.items():
        meanings: dict[str, set[str]] = {}
        for name, token in zip(names(program), program.flags.split(), strict=True):
            meanings.setdefault(name, set()).add(options(token)[name].kind)
        twice |= {(*row, name): kinds for name, kinds in meanings.items() if len(kinds) > 1}
    assert twice == {}


def test_a_program_is_judged_in_one_place():
    assert {name for name in KNOWN if name in SPECIAL} <= {"clang-tidy", "rebar3"}


# Options by which one tool or another runs, loads or writes something of the line's own choice.
@pytest.mark.parametrize(
    "option",
    [
        *("--exec", "--command", "--plugin", "--plugins", "--import", "--loader", "--init-hook", "--eval"),
        *("--pre", "--to-command", "--compress-program", "--use-compress-program", "--checkpoint-action", "--wrapper"),
        *("--fix", "--apply", "--auto-correct", "--open", "--serve", "--upload", "--rulesdir"),
        *("-toolexec", "-vettool", "-exec", "-overlay", "--toolexec", "--run_under", "--post-renderer", "--registry"),
    ],
)
def test_no_table_knows_an_option_that_runs_or_rewrites(option):
    assert [row for row, program in ROWS.items() if option in names(program)] == []


def test_what_lies_beside_the_code_is_known():
    beside = project_runners.PYTHON | project_runners.PHP | project_runners.BINSTUBS | web_tools.BINARIES
    assert beside <= KNOWN.keys() | SPECIAL.keys()
