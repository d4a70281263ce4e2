"""What is known of a program's options, and the check of a command against it.

An option that isn't listed is not known to be harmless, so the command is not understood. Abbreviated long options
count as unknown. Tables are written in a small notation:

    -v --all         an option alone           -n:num --max=num   an option with a value (joined or next)
    --color[=data]   a value only after =      -#                 -5 as head and tail take it

Kinds of values: data, num, word, tag, read, list, write, delete, built (a folder it empties first), a shape (~ and a
pattern), or the allowed words themselves (text|json; =text where a kind has that name or where an operand may not be
missing).
Operands are a sequence of kinds; one of them may repeat (`data read*`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from policy.shell import marks
from policy.shell.kinds import NotKnown, take
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.words import Word

_COUNT = re.compile(r"-\d+")
_TOKEN = re.compile(r"(--?[\w#?@.+-]*)(?:(\[=)([^\]]*)\]|[:=](.*))?")


@dataclass(frozen=True)
class Program:
    """`kind`: the class of every such command. `loose`: none of its options can harm, so a word that may turn out to
    be an option is fine; `found`: neither can those that the name of a file in the workspace could spell. `check`:
    what options and operands together mean. `output`: what it prints, if a later command may rely on it: number,
    slug, paths. `runs`: it runs the project's code."""

    flags: str = ""
    operands: str = ""
    kind: str = ""
    says: str = ""
    loose: bool = False
    found: bool = False
    output: str = ""
    runs: bool = False
    first_flags: bool = False
    clusters: bool = True
    check: Callable[[Used, Record, Scope], None] | None = None


@dataclass
class Used:
    flags: dict[str, list[Word | None]] = field(default_factory=dict)
    operands: list[Word] = field(default_factory=list)
    bounded: int | None = None

    def has(self, *names: str) -> bool:
        return any(name in self.flags for name in names)

    def value(self, name: str) -> Word | None:
        return (self.flags.get(name) or [None])[-1]


@dataclass(frozen=True)
class Option:
    name: str
    kind: str = ""
    optional: bool = False


def examine(program: Program, words: list[Word], record: Record, scope: Scope) -> Used:
    """Raises NotKnown where the command isn't known whole; else writes down what it does."""
    used = parse(program, words, record, scope)
    if program.check is not None:
        program.check(used, record, scope)
    else:
        take_operands(program.operands, used.operands, record, scope)
    if program.kind:
        record.say(program.kind, program.says)
    record.ran_code = record.ran_code or program.runs
    return used


def parse(program: Program, words: list[Word], record: Record, scope: Scope) -> Used:
    table, used, queue = options(program.flags), Used(), list(words)
    while queue:
        word = queue.pop(0)
        text = _option_text(word)
        if text is None or text == "-":
            _operand(program, word, used)
            if program.first_flags:
                used.operands += queue
                break
        elif text == "--":
            if program.kind == "check" and any(value[:1] == "-" for word in queue for value in word.values):
                raise NotKnown("it hands options on to another program")
            used.bounded = len(used.operands)
            used.operands += queue
            break
        elif text.startswith("--") or (len(text) > 2 and text.partition("=")[0] in table):
            _long(table, text, word, queue, used, record, scope)
        else:
            if not program.clusters and len(text) > 2:
                raise NotKnown(f"{marks.shown(text)} is not an option known to be harmless")
            _short(table, text, word, queue, used, record, scope)
    return used


def take_operands(kinds: str, words: list[Word], record: Record, scope: Scope) -> None:
    sequence = kinds.split()
    if kinds[:1] == "=" and not words:
        raise NotKnown("it lacks its subcommand")
    repeated = next((at for at, kind in enumerate(sequence) if kind.endswith("*")), None)
    if repeated is None:
        if len(words) > len(sequence):
            raise NotKnown(f"{words[len(sequence)].raw} is one operand too many")
    else:
        missing = max(0, len(words) - (len(sequence) - 1))
        sequence[repeated : repeated + 1] = [sequence[repeated].rstrip("*")] * missing
    for kind, word in zip(sequence, words, strict=False):
        take(kind, word, record, scope)


@functools.lru_cache(maxsize=1024)
def options(notation: str) -> dict[str, Option]:
    table: dict[str, Option] = {}
    for token in notation.split():
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise ValueError(f"The table of options holds {token!r}.")
        table[found[1]] = Option(found[1], found[3] or found[4] or "", bool(found[2]))
    return table


def _option_text(word: Word) -> str | None:
    """The word's text if it is an option. One value of several that is an option makes it one nobody knows."""
    dashed = [value for value in word.values if value[:1] == "-"]
    if not dashed:
        return None
    if len(word.values) > 1 or len({value.partition("=")[0] for value in dashed}) > 1:
        raise NotKnown(f"{word.raw} may be an option")
    return dashed[0]


def _operand(program: Program, word: Word, used: Used) -> None:
    feared = marks.MAYBE_FLAG - marks.NAMES if program.found else marks.MAYBE_FLAG
    maybe = any(value[:1] in feared for value in word.values if value)
    if maybe and not program.loose and not all(_number_alone(value) for value in word.values):
        raise NotKnown(f"{word.raw} may turn out to be an option")
    used.operands.append(word)


def _number_alone(value: str) -> bool:
    return value[:1] == marks.NUMBER


def _long(
    table: dict[str, Option], text: str, word: Word, queue: list[Word], used: Used, record: Record, scope: Scope
) -> None:
    name, equals, value = text.partition("=")
    option = table.get(name)
    if option is None:
        raise NotKnown(f"{marks.shown(name)} is not an option known to be harmless")
    if not option.kind:
        if equals:
            raise NotKnown(f"{name} takes no value")
        used.flags.setdefault(name, []).append(None)
    elif equals:
        _value(option, Word((value,), value), used, record, scope)
    elif option.optional:
        used.flags.setdefault(name, []).append(None)
    else:
        _next_value(option, queue, used, record, scope)


def _short(
    table: dict[str, Option], text: str, word: Word, queue: list[Word], used: Used, record: Record, scope: Scope
) -> None:
    if "-#" in table and _COUNT.fullmatch(text.replace(marks.NUMBER, "1")):
        return
    letters = text[1:]
    while letters:
        option = table.get("-" + letters[0])
        letters = letters[1:]
        if option is None:
            raise NotKnown(f"{marks.shown(text)} is not an option known to be harmless")
        if not option.kind or (option.optional and not letters):
            used.flags.setdefault(option.name, []).append(None)
        elif letters:
            _value(option, Word((letters,), letters), used, record, scope)
            return
        else:
            _next_value(option, queue, used, record, scope)


def _next_value(option: Option, queue: list[Word], used: Used, record: Record, scope: Scope) -> None:
    if not queue:
        raise NotKnown(f"{option.name} lacks its value")
    word = queue.pop(0)
    if any(marks.MANY in value for value in word.values):
        raise NotKnown(f"{word.raw} may be several words")
    _value(option, word, used, record, scope)


def _value(option: Option, word: Word, used: Used, record: Record, scope: Scope) -> None:
    take(option.kind, word, record, scope)
    used.flags.setdefault(option.name, []).append(word)
