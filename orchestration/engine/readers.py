"""Who reads what a step leaves: told before the step is skipped or resolved without it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.engine.image import Image
from orchestration.plan_rules import OUTPUT_NAMED

_READ = re.compile(
    r"""\bsteps(?:\.(?P<key>[a-z][a-z0-9_-]*)|\[\s*["'](?P<quoted>[^"']+)["']\s*\])"""
    r"""\.outputs(?:\.(?P<name>[A-Za-z_]\w*)|\[\s*["'](?P<text>[^"']+)["']\s*\])"""
)
_ENDED = frozenset({"succeeded", "skipped", "failed", "canceled", "superseded"})
_FILLED = ("prompt", "system", "instructions", "when")


def readers_of(image: Image, place: int) -> dict[str, list[str]]:
    """The outputs of this step that steps read which have not ended: by name, the keys of the readers."""
    found: dict[str, list[str]] = {}
    key = image.plan.keys[place]
    for other, definition in enumerate(image.plan.definitions):
        if other == place or image.states[other] in _ENDED:
            continue
        for name in sorted(set(_names_read(definition, image.plan.header, key))):
            found.setdefault(name, []).append(image.plan.keys[other])
    return dict(sorted(found.items()))


def missing(image: Image, place: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """For the event of a step that ends without them."""
    left = {name: keys for name, keys in readers_of(image, place).items() if name not in given}
    return {"missing_outputs": left} if left else {}


def _names_read(definition: Mapping[str, Any], header: Mapping[str, Any], key: str) -> Iterator[str]:
    for text in _texts(definition, header):
        for found in _READ.finditer(text) if "outputs" in text else ():
            if (found["key"] or found["quoted"]) == key:
                yield found["name"] or found["text"]
    for check in definition.get("checks", ()):
        named = OUTPUT_NAMED.match(check.get("output") or "")
        if named and named["step"] == key:
            yield named["output"]


def _texts(definition: Mapping[str, Any], header: Mapping[str, Any]) -> Iterator[str]:
    yield from (definition.get(name) or "" for name in _FILLED)
    if definition["type"] == "command":
        yield from {**header.get("env", {}), **definition.get("env", {})}.values()
    yield from (check.get("expression") or "" for check in definition.get("checks", ()))
