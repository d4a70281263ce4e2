"""A fault's path in the plan as the field that it belongs to: `steps[2].needs[0]` is `steps-2-needs`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from workbench.builder.drafts import Draft

STEP = re.compile(r"steps\[(\d+)\](?:\.(.*))?")
CHECK = re.compile(r"checks\[(\d+)\](?:\.(.*))?")
INPUT = re.compile(r"inputs\.([^.]*)(?:\.(.*))?")
SPOKEN = {"schema_": "schema"}


def field_of(draft: Draft, path: str) -> str:
    """The name of the field; of the card where the fault is about a whole step."""
    if found := STEP.fullmatch(path):
        return _in_step(f"steps-{found[1]}", found[2] or "")
    if found := INPUT.fullmatch(path):
        names = list((draft.data or {}).get("inputs") or {})
        place = names.index(found[1]) if found[1] in names else 0
        return f"inputs-{place}-{_slug(found[2] or 'name')}"
    return f"plan-{_slug(path)}"


def _in_step(step: str, rest: str) -> str:
    if found := CHECK.fullmatch(rest):
        return f"{step}-checks-{found[1]}-{_slug(found[2] or 'name')}"
    return f"{step}-{_slug(rest)}" if rest else step


def _slug(path: str) -> str:
    """`needs[0]` is in `needs`; `retry.max_attempts` is `retry_max_attempts`; a variable's name is in `env`."""
    plain = path.partition("[")[0]
    first, _, rest = plain.partition(".")
    named = f"{first}_{rest}" if first in ("retry", "budget") and rest else first
    return SPOKEN.get(named, named)


def step_of(path: str) -> int | None:
    found = STEP.match(path)
    return int(found[1]) if found else None


def by_field(draft: Draft, faults: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for fault in faults:
        found.setdefault(field_of(draft, fault["path"]), []).append(fault["message"])
    return found
