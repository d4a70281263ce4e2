"""One simple command, as words, to what it does.

A command is allowed by being known whole: program, subcommand, each option, each operand. It is asked about when
anything of that is missing. What is known to do harm is named even where the rest is not understood.
"""

from __future__ import annotations

import re

from policy.shell import marks, paths
from policy.shell.environment import harmless, settable
from policy.shell.facts import CommandFacts
from policy.shell.grammar import Used, examine
from policy.shell.kinds import NotKnown
from policy.shell.programs import hostile, project_runners
from policy.shell.programs.registry import KNOWN, SPECIAL
from policy.shell.programs.web_tools import BINARIES
from policy.shell.record import Record
from policy.shell.scope import Scope, Values
from policy.shell.walk import Walk
from policy.shell.words import Word

_SYSTEM_FOLDERS = ("/bin/", "/usr/bin/", "/usr/local/bin/")
# Programs that a project keeps beside its code; they run that code anyway.
_PROJECT_FOLDERS = (
    (".venv/bin/", project_runners.PYTHON),
    ("venv/bin/", project_runners.PYTHON),
    ("node_modules/.bin/", BINARIES),
    ("vendor/bin/", project_runners.PHP),
    ("bin/", project_runners.BINSTUBS),
)
_PROJECT_RUNNERS = frozenset({"./gradlew", "./mvnw", "./manage.py", "./configure"})


def classify(walk: Walk, words: list[Word], prefix: list[tuple[str, Values]], scope: Scope, text: str) -> None:
    if not words:
        return
    name = words[0].text
    _environment(walk.record, prefix, scope, reads=name == "read")
    if name is None or not name:
        walk.record.say("unknown", f"The program's name is computed: {text[:80]}")
        _nothing_known(walk, "", words[1:])
        return
    if words[0].raw != name and words[0].raw.replace("\\", "").replace("'", "").replace('"', "") != words[0].raw:
        walk.record.say("unknown", f"The program's name is written in disguise: {words[0].raw[:40]}")
    program = _program(walk, name)
    walk.record.commands.append(_facts(program, words, text))
    if program:
        _known(walk, program, words[1:], scope, text)
    else:
        _nothing_known(walk, name, words[1:])


def run_words(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """What a wrapper runs is judged as if it stood alone."""
    classify(walk, words, [], scope, text)


def _known(walk: Walk, program: str, words: list[Word], scope: Scope, text: str) -> None:
    if hostile.only_looks(program, words, walk.record, scope):
        return
    hostile.note(walk, program, words, scope)
    special = SPECIAL.get(program)
    try:
        if special is not None:
            special(walk, words, scope, text)
        elif program in KNOWN:
            walk.output = ""
            used = examine(KNOWN[program], words, walk.record, scope)
            walk.output = KNOWN[program].output or _handed_on(walk, program, used)
        elif program not in hostile.NAMED:
            walk.record.say(
                "unknown", f"Runs {marks.shown(program)[:60]}, which is not a program known to be harmless."
            )
    except NotKnown as reason:
        walk.record.say(
            "unknown", f"Runs {program} in a way that is not known to be harmless: {marks.shown(str(reason))[:120]}."
        )
        _credentials(walk, words)


def _handed_on(walk: Walk, program: str, used: Used) -> str:
    """A filter between a list of files and its reader leaves a list of files; wc of its input prints a number."""
    if program == "wc" and not used.operands and len(used.flags) == 1:
        return "number"
    patterns = _FILTERS.get(program)
    plain = patterns is not None and len(used.operands) == patterns and used.flags.keys() <= _FILTERING
    return walk.feed if plain and walk.feed in ("paths", "listing") else ""


_FILTERS = {"sort": 0, "uniq": 0, "head": 0, "tail": 0, "tac": 0, "grep": 1, "egrep": 1}
_FILTERING = frozenset({"-n", "--lines", "-u", "--unique", "-r", "--reverse", "-v", "-E", "-i", "-z", "-F", "-w", "-V"})


def _program(walk: Walk, name: str) -> str:
    """The plain name, where the path is one that programs come from; else an empty text and a finding."""
    if "/" not in name:
        return name
    for folder in _SYSTEM_FOLDERS:
        if name.startswith(folder) and "/" not in name[len(folder) :]:
            return name[len(folder) :]
    if name in _PROJECT_RUNNERS:
        return name
    inner = name.removeprefix("./")
    for folder, programs in _PROJECT_FOLDERS:
        if inner.startswith(folder) and inner[len(folder) :] in programs:
            return inner[len(folder) :]
    base = name.rsplit("/", 1)[-1]
    if base in hostile.NAMED or base in hostile.SUBCOMMANDS:
        return base
    return ""


def _nothing_known(walk: Walk, name: str, words: list[Word]) -> None:
    if name:
        walk.record.say("code", f"Runs a file that nobody has looked at: {marks.shown(name)[:80]}.")
    _credentials(walk, words)


def _credentials(walk: Walk, words: list[Word]) -> None:
    for word in words:
        for value in word.values:
            if paths.looks_like_credentials(value.rpartition("=")[2].lstrip("@")):
                walk.record.say("credentials", f"Names credentials outside the workspace: {word.shown}.")


def _environment(record: Record, prefix: list[tuple[str, Values]], scope: Scope, reads: bool) -> None:
    for name, values in prefix:
        if name == "IFS" and reads:  # which holds for that one reading
            continue
        if not all(harmless(name, value) for value in values):
            what = "programs act upon" if not settable(name, scope.environment) else "the program is given"
            record.say("environment", f"Sets {name} for one command, which {what}.")


def _facts(program: str, words: list[Word], text: str) -> CommandFacts:
    shown = [word.shown for word in words[1:]]
    flags = tuple(word for word in shown if word.startswith("-"))
    operands = tuple(word for word in shown if not word.startswith("-"))
    subcommand = operands[0] if program in hostile.SUBCOMMANDS and operands else ""
    name = program or words[0].shown
    return CommandFacts(name, subcommand, flags, operands[1 if subcommand else 0 :], re.sub(r"\s+", " ", text)[:300])
