"""A text as it is searched: percent and JSON escapes decoded, white space and backslashes left out, lower case. Pure.

Two readings of one text: in JSON a backslash with an `n` is a line break and may stand inside a value that was
wrapped; elsewhere, as in a Windows path, it is a backslash and an `n`. Both are searched.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

WHITESPACE = b" \t\n\r\x0b\x0c"
LOWER = bytes(range(256)).lower()

_HEX = rb"[0-9a-fA-F]"
_PAIR = rb"\\+u([dD][89abAB]" + _HEX + rb"{2})\\+u([dD][c-fC-F]" + _HEX + rb"{2})"
_ESCAPE = _PAIR + rb"|\\+u(" + _HEX + rb"{4})|%(" + _HEX + rb"{2})"
_SPACE = rb"[ \t\n\r\x0b\x0c]+|"
# By reading: what is decoded or left out
TOKENS = (re.compile(_ESCAPE), re.compile(_ESCAPE + rb"|\\+[nrt]?"))
GAPS = (re.compile(_SPACE + _ESCAPE + rb"|\\+"), re.compile(_SPACE + TOKENS[1].pattern))
PERCENT = re.compile(rb"%" + _HEX + rb"{2}")
LINE_BREAK = re.compile(rb"\\[nrt]")
LINE_BREAKS = re.compile(rb"\\+[nrt]")
# What may be the first part of an escape, at the end of a text
OPEN_ESCAPE = re.compile(rb"(?:\\+u[dD][89abAB]" + _HEX + rb"{2})?(?:\\+(?:u" + _HEX + rb"{0,3})?|%" + _HEX + rb"?)?\Z")


def readings(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The number and the plain text of each reading in which this text differs."""
    yield 0, plain(data)
    if LINE_BREAK.search(data):
        yield 1, plain(data, 1)


def plain(data: bytes, reading: int = 0) -> bytes:
    # Escapes to decode are rare, and decoding them one by one is what costs.
    if b"\\u" in data or PERCENT.search(data):
        data = TOKENS[reading].sub(_decoded, data)
    elif reading and b"\\" in data:
        data = LINE_BREAKS.sub(b"", data)
    return data.translate(LOWER, WHITESPACE + b"\\")


def original(data: bytes, reading: int, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where places in the plain text stand in the text as it came, escapes whole."""
    points, origins = [0], [(0, 0)]  # from this plain place on: where it came from, and what a whole escape takes
    for match in GAPS[reading].finditer(data):
        start, end = match.span()
        at = points[-1] + (start - origins[-1][0] - origins[-1][1])
        points += [at, at + len(_decoded(match).translate(LOWER, WHITESPACE))]
        origins += [(start, end - start), (end, 0)]

    def place(at: int) -> tuple[int, int]:
        index = bisect_right(points, at) - 1
        origin, whole = origins[index]
        return (origin, origin + whole) if whole else (origin + at - points[index], origin + at - points[index] + 1)

    return [(place(start)[0], place(end - 1)[1] if end > start else place(end)[0]) for start, end in spans]


def without_open_escape(data: bytes) -> bytes:
    match = OPEN_ESCAPE.search(data)
    return data[: match.start()] if match else data


def _decoded(match: re.Match[bytes]) -> bytes:
    if not match.lastindex:
        return b""
    high, low, unit, byte = match.groups()
    if byte:
        character = bytes([int(byte, 16)])
    else:
        code = int(unit, 16) if unit else 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00
        character = chr(code).encode("utf-8", "surrogatepass")
    return b"" if character == b"\\" else character
