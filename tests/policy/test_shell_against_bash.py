"""What we read in a line is what bash does with it: words are compared, and allowed lines are run with stand-ins."""

import os
import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.shell import marks
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.source import parse
from policy.shell.walk import Walk
from tests.policy import corpus
from tests.policy.judging import judge

BASH = shutil.which("bash") or "/bin/bash"
PARTS = [
    *("a", "b", ".", "/", "-", '"', "'", "\\", "$", "{", "}", ",", "*", "?", "[", "]", "~", "=", ":", "!", "#", "1"),
    *(
        "..",
        "$x",
        "${x}",
        '"$x"',
        "$'",
        '$"',
        "\\n",
        "\\x41",
        "\\\\",
        '\\"',
        "\\'",
        "{a,b}",
        "{1..3}",
        "$n",
        "$e",
        "  ",
    ),
]
ANYTHING = {marks.ANY, marks.STAR, marks.SLUG, marks.MANY}
SPLICES = [
    *('"', "'", "\\", "$", "`", "(", ")", "{", "}", "[", "]", "<", ">", "<<E", "|", "&", ";", "\n", " ", "#", "$("),
    *("case x in", "esac", "if", "then", "fi", "do", "done", "[[", "]]", "((", "))", "$'", "\\\n", ">&", "x=", "EOF"),
]


def words_of(line):
    """The words of the only command, or None where the reader has a doubt."""
    source, record, found = parse(line), Record(), []
    scope = Scope("/work")
    scope.variables.update({"x": ("lit",), "n": ("7",), "e": ("",)})
    Walk(source, record, lambda walk, words, prefix, inner, text: found.append(words)).visit(source.root, scope)
    certain = source.valid and not source.doubt and not record.findings and len(found) == 1
    return found[0] if certain else None


def pattern_of(word):
    def one(mark):
        return ".*" if mark in ANYTHING else r"-?\d+" if mark == marks.NUMBER else re.escape(mark)

    return "|".join("(?:" + "".join(one(mark) for mark in value) + ")" for value in word.values)


def run(line, folder, path=os.defpath):
    environment = {"PATH": path, "HOME": "/nowhere", "LC_ALL": "C"}
    command = [BASH, "--noprofile", "--norc", "-c", line]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=5, check=False, stdin=subprocess.DEVNULL
    )


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("".join))
def test_words_are_what_bash_makes_of_them(tmp_path_factory, text):
    words = words_of(f"echo {text}")
    if words is None or any(
        mark in value for word in words for value in word.values for mark in (marks.MANY, marks.HOME)
    ):
        return
    empty = tmp_path_factory.mktemp("empty")
    printed = run(f'x=lit; n=7; e=; printf "%s\\0" {text}', empty).stdout.decode().split("\0")[:-1]
    if any(marks.NUMBER in value for word in words for value in word.values):
        return
    if all(value.startswith("/") and marks.STAR in value for word in words[1:] for value in word.values):
        return
    assert len(printed) == len(words) - 1, (words, printed)
    for word, shown in zip(words[1:], printed, strict=True):
        assert re.fullmatch(pattern_of(word), shown, re.DOTALL), (word, shown)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A workspace, and programs that do nothing but tell when `danger` runs."""
    root = tmp_path_factory.mktemp("stage")
    (root / "bin").mkdir()
    (root / "work").mkdir()
    names = {line.split()[0] for line in corpus.everyday() if line.split()[0].isalnum()} - {"bash", "sh"}
    for name in {"danger", *names}:
        program = root / "bin" / name
        program.write_text(f'#!/bin/sh\n[ "${{0##*/}}" = danger ] && : > "{root}/ran"\nexit 0\n')
        program.chmod(0o755)
    return root


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_line_that_is_allowed_runs_nothing_that_was_not_seen(stage, data):
    line = data.draw(
        st.sampled_from([line for line in corpus.everyday() if "bash" not in line and "sh -c" not in line])
    )
    for piece in (*data.draw(st.lists(st.sampled_from(SPLICES), max_size=4)), "danger"):
        at = data.draw(st.integers(0, len(line)))
        line = (
            line[:at]
            + data.draw(st.sampled_from(["", " "]))
            + piece
            + data.draw(st.sampled_from(["", " "]))
            + line[at:]
        )
    if judge(line).verdict != "allow" or "sleep" in line or "CCDASH" in line or "while" in line:
        return
    run(line, stage / "work", path=str(stage / "bin"))
    assert not (stage / "ran").exists(), line
