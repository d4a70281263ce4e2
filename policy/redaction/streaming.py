"""Finds values in a stream, whatever its chunks. What may be the beginning of one is held back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policy.redaction.plain import original, plain, readings, without_open_escape
from policy.redaction.spellings import forms

SHOWN_EARLY = 2
BLOCK = 2048

Match = tuple[int, int, str]


class Redactor:
    """One for each stream; not for several threads."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._forms = forms(frozenset(secrets.items()))
        self._window = 8 * max(map(len, self._forms), default=0) + 64
        self._shown = b""  # given out already, but a value may have begun there
        self._held = b""

    @property
    def pending(self) -> int:
        """How many of the bytes fed so far are held back: feed from there again after a restart."""
        return len(self._held)

    def feed(self, data: bytes) -> bytes:
        if not self._forms:
            return data
        if len(data) > BLOCK and self._has_value(data):  # only the part with the value is worth the close look
            middle = len(data) // 2
            return self.feed(data[:middle]) + self.feed(data[middle:])
        shown, data = len(self._shown), self._shown + self._held + data
        matches = self._matches(data)
        cut = self._first_open(data, matches)
        self._shown, self._held = _kept(data[cut:], max(0, shown - cut))
        ready = data[: len(data) - len(self._held)]
        return _replaced(ready, [match for match in matches if match[0] < cut], shown)

    def flush(self) -> bytes:
        """The rest, when no more will come."""
        shown, data = len(self._shown), self._shown + self._held
        self._shown = self._held = b""
        return _replaced(data, self._matches(data), shown)

    def _has_value(self, data: bytes) -> bool:
        return any(form in text for _, text in readings(data) for form in self._forms)

    def _matches(self, data: bytes) -> list[Match]:
        """Where values stand, first to last, without overlap."""
        matches: list[Match] = []
        for reading, text in readings(data):
            found = [(at, at + len(form), name) for form, name in self._forms.items() for at in _places(text, form)]
            spans = original(data, reading, [match[:2] for match in found]) if found else []
            matches += [(start, end, name) for (start, end), (_, _, name) in zip(spans, found, strict=True)]
        return _merged(matches)

    def _first_open(self, data: bytes, matches: list[Match]) -> int:
        """Where the longest beginning of a value stands at the end, else the end. Inside a match nothing begins."""
        start = max(0, len(data) - self._window)
        tail = data[start:]
        whole = without_open_escape(tail)
        places = {len(whole)}
        for reading, text in readings(whole):
            begun = sorted({at for form in self._forms for at in _begun(text, form)})
            places.update(place for place, _ in original(whole, reading, [(at, len(text)) for at in begun]))
        for place in sorted(places):
            if not any(first < start + place < end for first, end, _ in matches):
                return start + place
        return len(data)


def redact_text(text: str, secrets: Mapping[str, str]) -> str:
    """A whole text at once."""
    if not secrets:
        return text
    redactor = Redactor(secrets)
    data = text.encode("utf-8", "surrogatepass")
    return (redactor.feed(data) + redactor.flush()).decode("utf-8", "surrogatepass")


def redact_data(value: Any, secrets: Mapping[str, str]) -> Any:
    """All texts in a piece of JSON, its keys included."""
    if isinstance(value, str):
        return redact_text(value, secrets)
    if isinstance(value, Mapping):
        return {redact_text(str(key), secrets): redact_data(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_data(item, secrets) for item in value]
    return value


def _places(text: bytes, form: bytes) -> Iterator[int]:
    at = text.find(form)
    while at >= 0:
        yield at
        at = text.find(form, at + len(form))


def _begun(text: bytes, form: bytes) -> Iterator[int]:
    """Where the end of the text may be the beginning of this form."""
    at = text.find(form[:1], max(0, len(text) - len(form) + 1))
    while at >= 0:
        if form.startswith(text[at:]):
            yield at
        at = text.find(form[:1], at + 1)


def _merged(matches: list[Match]) -> list[Match]:
    merged: list[Match] = []
    for start, end, name in sorted(matches, key=lambda match: (match[0], -match[1])):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
        else:
            merged.append((start, end, name))
    return merged


def _kept(rest: bytes, shown: int) -> tuple[bytes, bytes]:
    """What of the open end is given out all the same, and what is held back.

    The end of a line is not kept from its reader because a character or two could begin a value.
    """
    if rest.endswith(b"\n") and len(plain(rest)) <= SHOWN_EARLY:
        return rest, b""
    return rest[:shown], rest[shown:]


def _replaced(data: bytes, matches: list[Match], shown: int = 0) -> bytes:
    parts, at = [], shown
    for start, end, name in matches:
        parts += [data[at:start], f"[redacted:{name}]".encode()]
        at = end
    return b"".join([*parts, data[at:]])
