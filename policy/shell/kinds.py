"""What an operand or an option's value may be: each kind says what happens to it, or that it isn't known.

data is any text; num, word, name, tag and plain are ever narrower texts; read, list, search, sample, write, delete and
built are files and folders; target and revision are what tools and git are pointed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from policy.shell import marks, paths
from policy.shell.record import Record, deletes, each_place, reads, writes
from policy.shell.scope import Scope
from policy.shell.words import Word

_NUMBER = re.compile(rf"[+-]?[\d{marks.NUMBER}]*(\.\d+)?[a-zA-Z%]{{0,3}}")
_WORD = re.compile(rf"[\w.,:@%+=/{marks.NUMBER}{marks.SLUG}-]*")
# Folders that builds and runs are for.
_BUILT = re.compile(
    r"_?(build|dist|out|outputs?|site|public|target|book|html|www|reports?|results?|coverage|artifacts|tmp|apidocs?|api-docs?"
    r"|javadoc|docs?-(build|dist|html)|\.next|\.output|storybook|storybook-static|test-results|playwright-report|public_html"
    r"|dist-\w+|build-\w+)|docs?/(api|reference|generated)"
)
_TAG = re.compile(rf"[\w,@+{marks.NUMBER}{marks.SLUG}-]*")


class NotKnown(Exception):
    """The command is not one of those that are known whole; the text says what isn't."""


def take(kind: str, word: Word, record: Record, scope: Scope) -> None:
    """One operand or value of that kind."""
    if kind == "data":
        return
    action = _KINDS.get(kind)
    if action is not None:
        action(word, record, scope)
    elif kind[:1] == "~":
        _shape(kind[1:], word)
    elif word.text is None or word.text not in kind.lstrip("=").split("|"):
        raise NotKnown(f"{word.raw} is not one of {kind}")


def _shape(pattern: str, word: Word) -> None:
    if not all(re.fullmatch(pattern, value) for value in word.values):
        raise NotKnown(f"{word.raw} is not a value known to be harmless")


def _number(word: Word, record: Record, scope: Scope) -> None:
    if not all(_NUMBER.fullmatch(value) for value in word.values):
        raise NotKnown(f"{word.raw} is not a plain number")


def _word(word: Word, record: Record, scope: Scope) -> None:
    if not all(_WORD.fullmatch(value) for value in word.values):
        raise NotKnown(f"{word.raw} is not a plain word")


def _name(word: Word, record: Record, scope: Scope) -> None:
    """A plain word that is no path out of the workspace."""
    _word(word, record, scope)
    parts = [part for value in word.values for part in re.split("[:=,@]", value)]
    if any(part.startswith("/") or ".." in part.split("/") for part in parts):
        raise NotKnown(f"{word.raw} is a path")


def _tag(word: Word, record: Record, scope: Scope) -> None:
    """A name that the program knows itself: no path, so no file of the line's own choice."""
    if not all(_TAG.fullmatch(value) for value in word.values):
        raise NotKnown(f"{word.raw} is not a plain name")


def _plain(word: Word, record: Record, scope: Scope) -> None:
    """Handed on to another program, so it may be no option of that one."""
    if any(not value or value[:1] in marks.MAYBE_FLAG or value[0] == "-" for value in word.values):
        raise NotKnown(f"{word.raw} may be an option of what it runs")
    _name(word, record, scope)


def _report(word: Word, record: Record, scope: Scope) -> None:
    """KIND or KIND:FILE."""
    _word(word, record, scope)
    files = tuple(value.partition(":")[2] for value in word.values)
    if any(files):
        writes(record, Word(files, word.raw), scope, by_hand=False)


def _read(word: Word, record: Record, scope: Scope) -> None:
    if word.values != ("-",):
        reads(record, word, scope)


def _write(word: Word, record: Record, scope: Scope) -> None:
    writes(record, word, scope, by_hand=False)


def _built(word: Word, record: Record, scope: Scope) -> None:
    """A folder that the tool empties first: only one that builds are for."""
    for place in each_place(word, scope):
        if place.where == "inside" and not _built_for(place.parts):
            raise NotKnown(f"it may empty the folder {place.path}")
    writes(record, word, scope, by_hand=False)


def _built_for(parts: tuple[str, ...]) -> bool:
    return any(_BUILT.fullmatch(part) for part in (*parts, "/".join(parts[:2])))


def _delete(word: Word, record: Record, scope: Scope) -> None:
    deletes(record, word, scope, recursive=False)


def _sample(word: Word, record: Record, scope: Scope) -> None:
    """A bounded part of it: endless devices are fine."""
    if word.text not in paths.ENDLESS:
        _read(word, record, scope)


def _search(word: Word, record: Record, scope: Scope) -> None:
    """Read for what matches: a listing of unknown files is as good as the folder they are in."""
    if not any(value == marks.LISTED for value in word.values):
        _read(word, record, scope)


def _list(word: Word, record: Record, scope: Scope) -> None:
    reads(record, word, scope, contents=False)


def _target(word: Word, record: Record, scope: Scope) -> None:
    """A file or folder of the workspace that a tool is pointed at; `::` and `:` select inside of it."""
    values = tuple(value.split("::")[0].split(":")[0] for value in word.values)
    if any(value.startswith(("http", "git+", "file:", "@", "+")) for value in word.values):
        raise NotKnown(f"{word.raw} is not in the workspace")
    for place in each_place(Word(values, word.raw), scope):
        if place.where not in ("inside", "scratch", "stream") or place.git:
            _elsewhere(place, record)


def _elsewhere(place: paths.Place, record: Record) -> None:
    if place.where == "unknown":
        raise NotKnown(f"{place.path} can't be known beforehand")
    record.say("code", f"Runs a tool on files outside the workspace: {place.path}.")


def _revision(word: Word, record: Record, scope: Scope) -> None:
    """What git takes: revisions, ranges, paths, or a path in a revision."""
    for value in word.values:
        if value == marks.SLUG:  # the name of a commit
            continue
        path = value.partition(":")[2] if ":" in value.strip(":") else value
        for cwd in scope.cwds:
            _revision_place(paths.place(path, cwd, scope.root), word, record)


def _revision_place(place: paths.Place, word: Word, record: Record) -> None:
    if place.where == "unknown" and not word.vague:
        raise NotKnown(f"{word.raw} can't be known beforehand")
    if place.where not in ("inside", "scratch", "unknown"):
        record.say("read_outside", f"Reads outside the workspace: {place.path}.")
    if place.secret:
        record.say("secret_read", f"Reads a file that usually holds secrets: {place.path}.")


_KINDS: dict[str, Callable[[Word, Record, Scope], None]] = {
    "num": _number,
    "word": _word,
    "name": _name,
    "tag": _tag,
    "read": _read,
    "search": _search,
    "sample": _sample,
    "list": _list,
    "write": _write,
    "target": _target,
    "plain": _plain,
    "report": _report,
    "revision": _revision,
    "delete": _delete,
    "built": _built,
}
