"""What the shell does itself."""

from __future__ import annotations

import re

from policy.shell import marks
from policy.shell.environment import settable
from policy.shell.grammar import Program, examine
from policy.shell.kinds import NotKnown
from policy.shell.record import each_place
from policy.shell.scope import MANY, Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

_OPTIONS = re.compile(r"[-+][eunxfCvET]*o?")
_OPTION_NAMES = frozenset({"pipefail", "errexit", "nounset", "xtrace", "noglob", "noclobber", "verbose"})


def change_folder(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    operands = [word for word in words if word.text not in ("--", "-P", "-L")]
    if len(operands) != 1 or any(value[:1] in ("-", "+") for value in operands[0].values):
        walk.record.say("read_outside", "Leaves the workspace's folder.")
        scope.cwds = (None,)
        return
    there: list[str | None] = []
    for place in each_place(operands[0], scope):
        # A pattern that a name of ours begins or holds finds no way up.
        if place.where == "inside":
            there.append("/".join(place.parts))
            continue
        walk.record.say("read_outside", f"Works outside the workspace: {place.path}.")
        there.append(None)
    walk.record.say("compute", "Changes folder.")
    walk.landed = tuple(dict.fromkeys(there))
    # It may fail, and the line goes on where it was.
    scope.cwds = tuple(dict.fromkeys(there if scope.strict and walk.alone else [*there, *scope.cwds]))


def push_folder(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    before = scope.cwds
    change_folder(walk, words, scope, text)
    scope.left = (*scope.left, before)


def pop_folder(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Back to where pushd was given, if nothing else says where that was."""
    if words or not scope.left:
        raise NotKnown("where it leads isn't known")
    there, scope.left = scope.left[-1], scope.left[:-1]
    walk.record.say("compute", "Changes folder.")
    walk.landed = there
    scope.cwds = tuple(dict.fromkeys([*there, *scope.cwds]))


def _strict(before: bool, options: list[str]) -> bool:
    if any(re.fullmatch(r"\+[a-z]*e[a-z]*", option) for option in options) or "+o" in options:
        return False
    return before or any(re.fullmatch(r"-[a-z]*e[a-z]*", option) for option in options) or "errexit" in options


def set_options(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    named = False
    if walk.alone:
        scope.strict = _strict(scope.strict, [word.text or "" for word in words])
    for word in words:
        option = word.text or ""
        if named and option in _OPTION_NAMES:
            named = False
        elif not named and len(option) > 1 and _OPTIONS.fullmatch(option):
            named = option.endswith("o")
        else:
            raise NotKnown(f"{word.raw} is not a plain shell option")
    if named or not words:
        raise NotKnown("it lists every variable")
    walk.record.say("compute", "Sets shell options.")


def read_variable(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    used = examine(Program("-r -s -n:num -d:data -t:num -p:data", "name*", loose=False), words, walk.record, scope)
    for word in used.operands:
        name = word.text or ""
        if name == "_":  # the usual name for what nobody wants
            continue
        if not settable(name, scope.environment):
            raise NotKnown(f"it sets {word.raw}")
        scope.variables[name] = _LINES.get(walk.feed, MANY) if len(used.operands) == 1 else MANY
    walk.record.say("compute", "Reads a line of its input.")


# Each line of a list of files is one of them.
_LINES = {"paths": (marks.FOUND,), "listing": (marks.LISTED,)}


def export(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Reached only where the name was written in disguise; the plain word is grammar."""
    raise NotKnown("it changes the environment")


def read_lines(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """mapfile without a callback: one array of the line's own."""
    used = examine(Program("-t -n:num -s:num -d:data", "name"), words, walk.record, scope)
    name = used.operands[0].text or "" if used.operands else ""
    if not settable(name, scope.environment):
        raise NotKnown("it sets a variable that programs act upon")
    scope.variables[name] = MANY
    walk.record.say("compute", "Reads lines of its input.")


def function_control(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    examine(Program(operands="data", loose=True), words, walk.record, scope)
    walk.record.say("compute", "Ends or goes on.")


_BOUNDED = re.compile(r"head(\s+(-[nc]\s*\d{1,7}|-\d{1,7}))?")


def endless(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """`yes` ends when the one that reads it does."""
    if not _BOUNDED.fullmatch(walk.into.strip()):
        raise NotKnown("nothing ends it")
    examine(Program(operands="data*"), words, walk.record, scope)
    walk.record.say("compute", "Prints the same line over and over, as often as it is read.")


def wait(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    examine(Program("-n -f", "data*", loose=True), words, walk.record, scope)
    walk.record.say("compute", "Waits for its own processes.")


def hash_of(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """command -v and type only look; everything else of that kind changes what names mean."""
    raise NotKnown("it changes what names mean")


def look_up(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    examine(Program("-a -t -p -P", "name*"), words, walk.record, scope)
    walk.record.say("compute", "Looks up a program.")


SPECIAL: dict[str, Judge] = {
    "cd": change_folder,
    "pushd": push_folder,
    "popd": pop_folder,
    "set": set_options,
    "read": read_variable,
    "mapfile": read_lines,
    "readarray": read_lines,
    "exit": function_control,
    "return": function_control,
    "break": function_control,
    "continue": function_control,
    "wait": wait,
    "yes": endless,
    "type": look_up,
    "which": look_up,
    "export": export,
    "declare": export,
    "typeset": export,
    "local": export,
    "readonly": export,
    "alias": hash_of,
    "unalias": hash_of,
    "hash": hash_of,
    "enable": hash_of,
    "shopt": hash_of,
    "trap": hash_of,
}
