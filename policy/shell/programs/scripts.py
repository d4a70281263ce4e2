"""sed, awk and jq: programs that are given a program. Only those that print, choose and replace are known.

Each of the languages can write files or run commands; a script that isn't matched from its start to its end by what
stands here is not understood.
"""

from __future__ import annotations

import re

from policy.shell.grammar import NotKnown, Used, take, take_operands
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.words import Word


def sed(used: Used, record: Record, scope: Scope) -> None:
    scripts = [word for word in used.flags.get("-e", []) + used.flags.get("--expression", []) if word is not None]
    operands = list(used.operands)
    if not scripts and operands:
        scripts = [operands.pop(0)]
    for script in scripts:
        if script.text is None or not all(_SED.fullmatch(line) for line in _sed_lines(script.text)):
            raise NotKnown(f"{script.raw} is not a plain sed script")
    in_place = used.has("-i", "--in-place")
    take_operands("write*" if in_place else "read*", operands, record, scope)
    if in_place:
        take_operands("read*", operands, record, scope)


def _sed_lines(script: str) -> list[str]:
    return [line.strip() for line in script.split("\n") if line.strip()]


def _between(mark: str) -> str:
    """A pattern up to its delimiter. One inside of brackets would not end it, so there may be none there."""
    return rf"(?:[^{mark}\\\n\[]|\\[^\n]|\[\^?\]?(?:[^\]{mark}\\\n]|\\[^\]{mark}\\\n])*\])*{mark}"


_ADDRESS = rf"(?:\d+|\$|/{_between('/')}I?|\d+~\d+)"
_REPLACE = (
    "(?:"
    + "|".join(rf"s{mark}{_between(mark)}(?:[^{mark}\\\n]|\\[^\n])*{mark}" for mark in (r"/", r"\|", "#", ","))
    + r")[gpiI\d]*"
)
_COMMAND = rf"(?:{_ADDRESS}(?:,(?:\+?\d+|{_ADDRESS}))?!?)?\s*(?:[pdqQ=]|[qQ]\d+|{_REPLACE})"
_SED = re.compile(rf"{_COMMAND}(?:\s*;\s*{_COMMAND})*\s*;?")

_AWK_FUNCTIONS = frozenset(
    [
        "length",
        "substr",
        "index",
        "split",
        "sub",
        "gsub",
        "match",
        "sprintf",
        "tolower",
        "toupper",
        "int",
        "sqrt",
        "exp",
        "log",
        "sin",
        "cos",
        "rand",
        "print",
        "printf",
        "if",
        "while",
        "for",
        "exit",
    ]
)
# Texts and patterns, from left to right: a pattern stands only where no division could.
_AWK_QUOTED = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|(^|[{}(,;!~&|\n])\s*/(?:[^/\\\n]|\\.)*/")
_AWK_REACHES = re.compile(
    r"(?<!\|)\|(?!\|)|>>|@|\b(?:getline|system|close|fflush|ENVIRON|PROCINFO|function|func|delete|exec|nextfile)\b"
    r"|\b(?:print|printf|return|else|do|in|case)\s*/"
)
_AWK_TEXT = re.compile(r"[\w\s$(){}\[\],;:?+*/%<>=!&|~.^-]*")


def awk(used: Used, record: Record, scope: Scope) -> None:
    """Printing of fields with conditions: no call, no pipe, no redirection, no file name."""
    program = used.operands[0].text if used.operands else None
    if program is None:
        raise NotKnown("its program is computed")
    if not _awk_plain(program):
        raise NotKnown("its program may run commands or write files")
    _awk_operands(used.operands[1:], record, scope)


def _awk_plain(program: str) -> bool:
    text = _AWK_QUOTED.sub(lambda found: (found[1] or "") + " 0 ", program)
    if re.search(r"\[[^\]\n]*[/\"]", program):
        return False  # Inside brackets neither ends a pattern or begins a text, for some readers.
    if _AWK_REACHES.search(text) or not _AWK_TEXT.fullmatch(text):
        return False
    if set(re.findall(r"([A-Za-z_]\w*)\s*\(", text)) - _AWK_FUNCTIONS:
        return False
    # After print, > names a file unless it stands in parentheses.
    return not any(">" in re.sub(r"\([^()]*\)", "", rest) for rest in re.findall(r"print([^;}]*)", text))


def _awk_operands(words: list[Word], record: Record, scope: Scope) -> None:
    for word in words:
        if any("=" in value for value in word.values):
            raise NotKnown(f"{word.raw} sets a variable")
        take("read", word, record, scope)


def jq(used: Used, record: Record, scope: Scope) -> None:
    program = used.operands[0].text if used.operands else "."
    if program is None or re.search(
        r"\b(env|input_filename|import|include|modulemeta|debug|get_search_list)\b|\$ENV|\$__", program
    ):
        raise NotKnown("its program reads more than its files")
    take_operands("data read*", used.operands, record, scope)
    record.say("read", "Reads inside the workspace.")
