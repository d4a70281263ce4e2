"""What a step says about itself: the file named by $CCDASH_OUTPUT, read without trust."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

MAX_FILE_BYTES = 1024 * 1024
MAX_VALUE_BYTES = 64 * 1024
MAX_NAMES = 256
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class OutputsError(Exception):
    """The outputs of the step can't be used."""


def read(path: Path, promised: Iterable[str] = ()) -> dict[str, str]:
    """`name=value` lines, or `name<<END`, lines, `END`. A later line wins."""
    found = dict(_pairs(_text(path)))
    if len(found) > MAX_NAMES:
        raise OutputsError(f"The step set {len(found)} outputs; at most {MAX_NAMES} are kept.")
    missing = [name for name in promised if name not in found]
    if missing:
        raise OutputsError(f"The step promised to set {', '.join(map(repr, missing))} and did not.")
    return found


def _text(path: Path) -> str:
    try:
        data = _bytes(path)
    except OSError as error:
        raise OutputsError(f"The file of outputs can't be read: {error.strerror}.") from error
    if len(data) > MAX_FILE_BYTES:
        raise OutputsError(f"The step's outputs are larger than {MAX_FILE_BYTES} bytes together.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise OutputsError("The step's outputs are not UTF-8 text.") from error


def _bytes(path: Path) -> bytes:
    """The command may have put anything in its place: a link, a pipe that never ends, nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OutputsError("The file of outputs was replaced by something that is no file.")
        return file.read(MAX_FILE_BYTES + 1)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    lines = ((number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), start=1))
    for number, line in lines:
        if not line.strip():
            continue
        name, sign, value = _split(line)
        if not sign or not NAME.fullmatch(name):
            raise OutputsError(f"Line {number} of the outputs is not name=value.")
        yield name, _checked(name, value if sign == "=" else _block(name, value, lines))


def _split(line: str) -> tuple[str, str, str]:
    """At whichever sign comes first: a value may hold the other."""
    cuts = [(line.index(sign), sign) for sign in ("=", "<<") if sign in line]
    if not cuts:
        return line, "", ""
    position, sign = min(cuts)
    return line[:position], sign, line[position + len(sign) :]


def _block(name: str, mark: str, lines: Iterator[tuple[int, str]]) -> str:
    held: list[str] = []
    for _, line in lines:
        if line == mark:
            return "\n".join(held)
        held.append(line)
    raise OutputsError(f"The value of output {name!r} has no end: no line is {mark[:50]!r}.")


def _checked(name: str, value: str) -> str:
    if len(value.encode()) > MAX_VALUE_BYTES:
        raise OutputsError(f"Output {name!r} is larger than {MAX_VALUE_BYTES} bytes.")
    if CONTROL.search(value):
        raise OutputsError(f"Output {name!r} holds control characters.")
    return value
