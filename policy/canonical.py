"""One byte string for one value (RFC 8785), and digests over it.

Approvals, plans and audit records are bound by these digests, so equal values must give equal bytes on every
machine. Integers are kept exact at any size. What has no JSON form is refused, never guessed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any


class CanonicalError(ValueError):
    """A value that has no canonical JSON form."""


def canonical_json(value: Any) -> bytes:
    try:
        return _text(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise CanonicalError("A text holds half of a surrogate pair.") from error
    except RecursionError as error:
        raise CanonicalError("The value is nested too deeply.") from error


def digest(domain: str, value: Any) -> str:
    """SHA-256 in hex. The domain keeps digests of different things from standing in for each other."""
    return digest_bytes(domain, canonical_json(value))


def digest_bytes(domain: str, payload: bytes) -> str:
    return hashlib.sha256(domain.encode("ascii") + b"\x00" + payload).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(str(value))
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(_members(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_text(item) for item in value) + "]"
    raise CanonicalError(f"A {type(value).__name__} has no canonical JSON form.")


def _members(value: Mapping[Any, Any]) -> list[str]:
    for key in value:
        if not isinstance(key, str):
            raise CanonicalError("Keys must be text.")
    return [f"{_text(key)}:{_text(value[key])}" for key in sorted(value, key=_utf16)]


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    """As ECMAScript writes it: the shortest digits that read back as the same double."""
    if not math.isfinite(value):
        raise CanonicalError("Numbers must be finite.")
    if value == 0:
        return "0"
    digits, exponent = _shortest(abs(value))
    sign = "-" if value < 0 else ""
    return sign + _placed(digits, exponent)


def _shortest(value: float) -> tuple[str, int]:
    """Digits without a point, and where the point stands from their start."""
    mantissa, _, power = f"{value!r}e0".partition("e")
    power = power.removesuffix("e0") or "0"
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(power)
    digits = whole + fraction
    stripped = digits.lstrip("0")
    return stripped.rstrip("0"), point - (len(digits) - len(stripped))


def _placed(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{tail}e{point - 1:+d}"
