"""Nothing that is put around an unsafe line makes it run unseen."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.ruleset import VERDICTS
from tests.policy import corpus
from tests.policy.judging import judge

UNSAFE = [line for _, line in corpus.unsafe()]
GRAMMAR = frozenset(["if", "for", "while", "case", "select", "function", "coproc", "until", "let", "cd", "set"])


def plain(line: str) -> bool:
    """A simple command that means the same wherever it stands."""
    first = line.partition(" ")[0]
    simple = " " in line and first.isalpha() and first not in GRAMMAR
    return simple and not set(line) & set("\n#'\"\\!()|&;<>`") and judge(line).reasons[0].code != "invalid"


PLAIN = [line for line in UNSAFE if plain(line)]
EVERYDAY = [line for line in corpus.everyday() if "\n" not in line and "#" not in line and "<<" not in line]

MARKS = [
    *("$(", ")", "`", '"', "'", "{", "}", "((", "))", "[[", "]]", "<<E", "\n", "E", ";", "|", "&", "x", " ", "\\"),
    *("do", "done", "if", "fi", "case", "esac", "in", "for", "$x", "${", "<", ">", "=", "#"),
]
AROUND = [
    "{before}; {line}",
    "{before} && {line}",
    "{before} || {line}",
    "{before} & {line}",
    "{before}\n{line}",
    "{line}; {before}",
    "{line} && {before}",
    "{line} || {before}",
    "({line})",
    "{{ {line}; }}",
    "! {line}",
    "if true; then {line}; fi",
    "if {line}; then true; fi",
    "if true; then true; else {line}; fi",
    "for i in 1 2; do {line}; done",
    "while {line}; do true; done",
    "until false; do {line}; done",
    "case x in x) {line};; esac",
    "echo $({line})",
    'echo "$({line})"',
    "echo `{line}`",
    "x=$({line})",
    "cat <({line})",
    "f() {{ {line}; }}; f",
    "{line} > out.txt",
    "{line} 2>/dev/null",
    "{line} &",
    "{line} | cat",
    "{before} | ({line})",
    "set -e; {line}",
    "cat <<EOF\n$({line})\nEOF",
    "true && {{ false || {line}; }}",
    "set -euo pipefail\n{line}",
    "pushd . && {line} && popd",
    "git ls-files | while IFS= read -r f; do {line}; done",
    "x=(a $({line}))",
    'echo "$a $({line}) $b"',
    "mapfile -t x < <({line})",
    ": > out.log && {line}",
    "{line} || status=$?; exit $status",
]
WRAPPERS = [
    "env {line}",
    "env CI=1 {line}",
    "CI=1 {line}",
    "timeout 60 {line}",
    "timeout -k 5 60 {line}",
    "nice {line}",
    "nice -n 5 {line}",
    "nohup {line}",
    "time {line}",
    "command {line}",
    "exec {line}",
    "stdbuf -oL {line}",
    "sudo {line}",
    "xargs {line}",
    "find . -exec {line} \\;",
    "bash -c '{line}'",
    'bash -c "{line}"',
    "sh -c '{line}'",
    "eval {line}",
    "eval '{line}'",
    "timeout 5 env nice {line}",
    "env FOO=bar {line}",
    "FOO=bar {line}",
    "PYTHONPATH=src {line}",
    "c8 {line}",
    "cross-env CI=1 {line}",
    "npx {line}",
    "uv run {line}",
    "poetry run {line}",
    "bundle exec {line}",
    "pnpm exec {line}",
    "composer exec {line}",
    "python -m {line}",
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLAIN), st.sampled_from(AROUND), st.sampled_from(EVERYDAY))
def test_no_list_branch_loop_or_substitution_makes_an_unsafe_line_free(line, around, before):
    assert judge(around.format(line=line, before=before)).verdict != "allow"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLAIN), st.sampled_from(WRAPPERS))
def test_no_wrapper_makes_an_unsafe_line_free(line, wrapper):
    assert judge(wrapper.format(line=line)).verdict != "allow"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLAIN), st.data())
def test_no_quoting_makes_an_unsafe_line_free(line, data):
    words = line.split(" ")
    at = data.draw(st.integers(0, len(words) - 1))
    if not words[at] or any(mark in words[at] for mark in "$~*?[{}="):
        return
    cut = data.draw(st.integers(0, len(words[at])))
    head, tail = words[at][:cut], words[at][cut:]
    forms = [
        f"'{head}'{tail}",
        f'{head}"{tail}"',
        f"{head}''{tail}",
        f'"{head}{tail}"',
        f"{head}\\{tail}" if tail else head,
    ]
    forms.append("$'" + "".join(f"\\x{ord(mark):02x}" for mark in head) + f"'{tail}")
    words[at] = data.draw(st.sampled_from(forms))
    assert judge(" ".join(words)).verdict != "allow"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(UNSAFE), st.sampled_from(EVERYDAY))
def test_an_everyday_line_in_front_takes_no_verdict_back(line, before):
    alone, together = judge(line).verdict, judge(f"{before}\n{line}").verdict
    assert together != "allow"
    if alone == "deny" and "cd " not in before:
        assert VERDICTS.index(together) >= VERDICTS.index("require_approval")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=string.printable, max_size=60))
def test_any_text_gets_a_verdict_and_no_fault(line):
    assert "judgement_failed" not in {reason.code for reason in judge(line).reasons}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(MARKS), max_size=25))
def test_any_soup_of_shell_marks_gets_a_verdict_and_no_fault(parts):
    assert "judgement_failed" not in {reason.code for reason in judge("".join(parts)).reasons}


CHECKS = [
    line
    for line in EVERYDAY
    if not set(line) & set("|&;<>()`$'\"*?~=") and " -- " not in line and not re.search(r"version| -[vV]$| -VV$", line)
]


@pytest.mark.parametrize(
    "more", ["--evil=/tmp/x", "--evil ./x", "--plugin ./evil.so", "--exec ./x", "--eval=x", "-Z./x"]
)
def test_an_option_that_nobody_knows_makes_every_check_ask(more):
    checked = [line for line in CHECKS if {reason.code for reason in judge(line).reasons} == {"check"}]
    assert len(checked) > 400
    assert [line for line in checked if judge(f"{line} {more}").verdict == "allow"] == []


@pytest.mark.parametrize("more", ["--output=/etc/x", "--config=/tmp/evil", "--outDir=/etc", "--rootdir=/"])
def test_a_folder_elsewhere_makes_every_check_ask(more):
    checked = [line for line in CHECKS if {reason.code for reason in judge(line).reasons} == {"check"}]
    assert [line for line in checked if judge(f"{line} {more}").verdict == "allow"] == []
