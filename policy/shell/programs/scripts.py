"""sed, awk and jq: programs that are given a program. Only those that print, choose and replace are known.

Each of the languages can write files or run commands; a script that isn't matched from its start to its end by what
stands here is not understood.
"""

from __future__ import annotations

import re

from policy.shell import marks
from policy.shell.grammar import Program, Used, parse, take_operands
from policy.shell.kinds import NotKnown, take
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
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
    r"(?<!\|)\|(?!\|)|>>|@|\b(?:getline|system|close|fflush|ENVIRON|PROCINFO|ARGV|ARGC|SYMTAB|FUNCTAB|function|func|delete|exec|nextfile)\b"
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


_JQ_REACHES = re.compile(
    r"(?<![.\w\"$])(env|input_filename|import|include|modulemeta|debug|get_search_list|halt_error|stderr|input_line_number)\b|\$ENV|\$__prog"
)
_YQ_REACHES = re.compile(
    r"(?<![.\w\"$])(env|envsubst|strenv|load\w*|filename|import|include|system|error_env|split_doc|eval)\b|\$ENV"
)
_JQ = "-c -r -R -s -S -e -n -j -M -C -a -V -h --tab --indent=num --compact-output --raw-output --raw-input --slurp --sort-keys --exit-status --null-input --monochrome-output --color-output --join-output --ascii-output --unbuffered --stream --seq --version --raw-output0 --help"
_YQ = "-r -e -P -M -C -N -n -c -j -S -o:word -p:word -oj -oy -I:num --output-format=word -o=word --input-format=word --prettyPrint --no-doc --colors --no-colors --unwrapScalar[=true|false] --exit-status --null-input --indent=num --raw-output --tojson -y -Y -t --yaml-output --no-colors --version -V --compact-output --sort-keys"


def jq(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    used = parse(Program(_JQ, found=True), _without_values(walk, words, scope), walk.record, scope)
    _query(used.operands, _JQ_REACHES, walk, scope, used.has("--version", "-V", "--help", "-h"))


def yq(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Both programs of that name: the one that wraps jq, and the other."""
    queue = words[1:] if words and words[0].text in ("e", "eval", "ea", "eval-all") else words
    used = parse(Program(_YQ, found=True), queue, walk.record, scope)
    _query(used.operands, _YQ_REACHES, walk, scope, used.has("--version", "-V"))
    if len(used.operands) == 1 and used.operands[0].text and not used.operands[0].text.startswith("."):
        take("read", used.operands[0], walk.record, scope)


def _query(operands: list[Word], reaches: re.Pattern[str], walk: Walk, scope: Scope, asks: bool) -> None:
    program = operands[0].text if operands else "." if asks else None
    if program is None or reaches.search(program):
        raise NotKnown("its program reads more than its files")
    take_operands("data read*", operands, walk.record, scope)
    walk.record.say("read", "Reads inside the workspace.")


def _without_values(walk: Walk, words: list[Word], scope: Scope) -> list[Word]:
    """--arg NAME VALUE only names a value; --slurpfile NAME FILE reads one; after --args all are values."""
    queue, rest = list(words), []
    while queue:
        word = queue.pop(0)
        if word.text in ("--arg", "--argjson", "--slurpfile", "--rawfile") and len(queue) > 1:
            value = queue[1]
            del queue[:2]
            if word.text in ("--slurpfile", "--rawfile"):
                take("read", value, walk.record, scope)
            elif any(marks.MANY in part for part in value.values):
                raise NotKnown(f"{value.raw} may be several words")
        else:
            rest.append(word)
    return rest


SPECIAL: dict[str, Judge] = {"jq": jq, "gojq": jq, "jaq": jq, "yq": yq}
