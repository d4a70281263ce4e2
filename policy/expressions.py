"""CEL behind our own door: conditions of rules, of steps and of checks.

An expression is compiled against the names it may use, so a misspelt name is refused when it is saved. The engine
bounds work by itself (an iteration budget, linear-time patterns). It returns run-time errors as values that look
true, so nothing but a real boolean ever leaves here; every other answer raises.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cel_expr_python import cel

MAX_LENGTH = 4096
_WHERE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_TEXT = re.compile(r"""[rRbB]{0,2}("([^"\\\n]|\\.)*"|'([^'\\\n]|\\.)*')|//[^\n]*""")
_HAS = re.compile(r"\bhas\(\s*([\w.]+)\s*\)")
_NAME = re.compile(r"[A-Za-z_]\w*")


class ExpressionError(ValueError):
    """The expression can't be compiled, or has no answer for these values."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line, self.column = line, column


@dataclass(frozen=True)
class Expression:
    source: str
    names: frozenset[str]
    _program: Any = field(repr=False, compare=False)

    def evaluate_bool(self, values: Mapping[str, object]) -> bool:
        kind, answer = self._run(values)
        if kind != "BOOL" or not isinstance(answer, bool):
            raise ExpressionError(f"The expression must answer true or false, not {kind.lower()}.")
        return answer

    def evaluate(self, values: Mapping[str, object]) -> object:
        return self._run(values)[1]

    def _run(self, values: Mapping[str, object]) -> tuple[str, Any]:
        data = {name: _plain(values.get(name)) for name in self.names}
        try:
            result = self._program.eval(data=data)
            kind, answer = result.type().name(), result.plain_value()
        except (RuntimeError, ValueError, TypeError, OverflowError) as error:
            raise ExpressionError(_sentence(str(error))) from error
        if result.type() in _NO_ANSWER:
            raise ExpressionError(_sentence(str(answer)))
        return kind, answer


def compile_expression(source: str, variables: frozenset[str]) -> Expression:
    """Raises ExpressionError with a sentence and a place. `variables` are the only top-level names there are."""
    if not source.strip():
        raise ExpressionError("The expression is empty.")
    if len(source.encode("utf-8", "surrogatepass")) > MAX_LENGTH:
        raise ExpressionError("The expression is longer than 4 kB.")
    return _compiled(source, frozenset(variables))


def check_condition(source: str, types: Mapping[str, str]) -> None:
    """Raises ExpressionError where the expression names no fact, mixes types, or can't answer true or false.

    `types` holds each fact by its dotted name; CEL resolves such a name before it would select from a map, so that
    the compiler itself finds every name that isn't there, whichever branch it stands in.
    """
    asked = _HAS.sub(lambda found: ("true" if found[1] in types else found[1]).ljust(len(found[0])), source)
    try:
        program = _typed(frozenset(types.items())).compile(asked)
    except (RuntimeError, ValueError, TypeError) as error:
        raise _refusal(str(error)) from error
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise ExpressionError(f"The condition must answer true or false, not {program.return_type().name().lower()}.")


_TYPES = {
    "text": cel.Type.STRING,
    "list": cel.Type.List(cel.Type.STRING),
    "bool": cel.Type.BOOL,
    "number": cel.Type.DYN,  # 300 and 0.5 are both compared with one
}
_NO_ANSWER = (cel.Type.ERROR, cel.Type.UNKNOWN)


@functools.lru_cache(maxsize=2048)
def _compiled(source: str, variables: frozenset[str]) -> Expression:
    try:
        program = _environment(variables).compile(source)
    except (RuntimeError, ValueError, TypeError) as error:
        raise _refusal(str(error)) from error
    if program.return_type() in (cel.Type.ERROR, cel.Type.TYPE):
        raise ExpressionError("The expression has no usable answer.")
    return Expression(source, _names(source) & variables, program)


@functools.lru_cache(maxsize=64)
def _environment(variables: frozenset[str]) -> Any:
    return cel.NewEnv(variables=dict.fromkeys(variables, cel.Type.DYN))


@functools.lru_cache(maxsize=8)
def _typed(types: frozenset[tuple[str, str]]) -> Any:
    return cel.NewEnv(variables={name: _TYPES[kind] for name, kind in types})


def _names(source: str) -> frozenset[str]:
    """A few too many rather than one too few: texts are only taken out where their ends are plain."""
    plain = not re.search(r"\\|'''|\"\"\"", source)
    return frozenset(_NAME.findall(_TEXT.sub('""', source) if plain else source))


def _refusal(message: str) -> ExpressionError:
    found = _WHERE.search(message)
    if found is None:
        return ExpressionError(_sentence(message))
    line, column = int(found[1]), int(found[2])
    return ExpressionError(f"{_sentence(found[3])} (line {line}, column {column})", line, column)


def _sentence(message: str) -> str:
    first = (message.splitlines() or [""])[0]
    text = re.sub(r"^[A-Z_]+: (ERROR: )?|\s*\(in container '.*?'\)| \[[A-Z_]+\]$", "", first).strip()
    return f"{text[:300] or 'The expression has no answer'}".rstrip(".") + "."


def _plain(value: object) -> object:
    """The engine takes lists and maps only; everything else it doesn't know becomes its text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in (sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)]
    return str(value)
