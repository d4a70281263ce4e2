"""How a value may be written, in the plain form that texts are searched in. Pure."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterator
from urllib.parse import quote

from policy.redaction.plain import plain

SHORTEST = 8
SHORTEST_PLAIN = 5
LONG_LINE = 20  # a line of a key or certificate that is found by itself, too


def is_found(value: str) -> bool:
    """Whether a value is long enough to be told from ordinary text."""
    return len(value) >= SHORTEST and len(plain(_bytes(value))) >= SHORTEST_PLAIN


@functools.lru_cache(maxsize=32)
def forms(secrets: frozenset[tuple[str, str]]) -> dict[bytes, str]:
    """Every plain form of every value that can be found, with the name it goes by."""
    found: dict[bytes, str] = {}
    for name, value in sorted(secrets):
        for spelling in _spellings(value) if is_found(value) else ():
            for form in (plain(spelling), plain(spelling, 1)):
                if len(form) >= SHORTEST_PLAIN:
                    found.setdefault(form, name)
    return found


def _spellings(value: str) -> Iterator[bytes]:
    """Those that the plain form makes equal need no line here: any mix of percent and JSON escapes is decoded."""
    raw = _bytes(value)
    yield raw
    yield raw.replace(b" ", b"+")  # in a form, with the rest percent-encoded
    yield quote(raw, safe="").encode()
    yield json.dumps(value)[1:-1].encode()
    yield json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")
    yield "".join(f"\\u{unit:04x}" for unit in _utf16(value)).encode()
    yield raw.hex().encode()
    yield from _base64(raw)
    yield from (_bytes(line) for line in value.splitlines() if len(line) >= LONG_LINE)


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that depend on the value alone, whatever stands before and after it."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + raw)
        first = -(-shift * 8 // 6)
        last = (shift + len(raw)) * 8 // 6
        yield encoded[first:last]
        yield encoded[first:last].translate(bytes.maketrans(b"+/", b"-_"))


def _utf16(value: str) -> list[int]:
    encoded = value.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(encoded[at : at + 2]) for at in range(0, len(encoded), 2)]


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
