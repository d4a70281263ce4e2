"""The mini-script of the simulated provider: lines of a step's prompt that begin with `!`. Pure.

`!think TEXT` · `!say TEXT` · `!json VALUE` (a whole answer) · `!tool NAME {json}` (ends the turn) · `!also NAME {json}`
(one more call of that turn) · `!fail [SENTENCE]` · `!fail CODE [RETRY_AFTER] [always]` · `!cut [always]` ·
`!hang [SECONDS]` · `!stream N [PER_SECOND]` · `!stop REASON` · `!usage INPUT OUTPUT`. Other lines are the goal. Without
any `!` line a canned answer is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Action = dict[str, Any]
DIRECTIVES = ("think", "say", "json", "tool", "also", "fail", "cut", "hang", "stream", "stop", "usage")
# Plain and bounded: a prompt is anybody's text, and Python reads more as a number than anybody means (`Infinity`, `²`).
NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
STATUS = re.compile(r"[0-9]{3}")


def parse_script(prompt: str) -> list[list[Action]]:
    """The turns that the prompt asks for; no turns at all where it holds no directive."""
    script: list[list[Action]] = []
    turn: list[Action] = []
    for line in prompt.splitlines():
        action = _action(line.strip())
        if action is None:
            continue
        if _ends(turn) and not (action.get("also") or action["do"] in ("stop", "usage")):
            script.append(turn)
            turn = []
        turn.append(action)
    return [*script, turn] if turn else script


def script_problems(prompt: str) -> list[str]:
    """Lines that look like directives and are none."""
    problems = []
    for number, line in enumerate(prompt.splitlines(), 1):
        word = line.strip()[1:].split(" ", 1)[0]
        if line.strip().startswith("!") and word.isalpha() and word not in DIRECTIVES:
            problems.append(f"Line {number} of the prompt: the simulated provider knows no directive !{word}.")
    return problems


def example_value(schema: Mapping[str, Any]) -> Any:
    """A plain value that fits an everyday JSON schema, so that structured steps can be tried with no key."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        return {name: example_value(part) for name, part in dict(schema.get("properties", {})).items()}
    if kind == "array":
        return [example_value(schema.get("items", {})) for _ in range(int(schema.get("minItems", 0)))]
    return {"number": schema.get("minimum", 0), "integer": schema.get("minimum", 0), "boolean": True, "null": None}.get(
        str(kind), "simulated"
    )


def _ends(turn: Sequence[Action]) -> bool:
    """What stands after a tool call or a whole answer belongs to the next turn."""
    return any(action["do"] in ("tool", "json") for action in turn)


def _action(line: str) -> Action | None:
    if not line.startswith("!"):
        return None
    word, _, rest = line[1:].partition(" ")
    rest = rest.strip()
    if word in ("tool", "also"):
        name, _, arguments = rest.partition(" ")
        return {"do": "tool", "name": name, "arguments": arguments.strip() or "{}", "also": word == "also"}
    if word == "fail":
        return _fail(rest)
    if word == "hang":
        return {"do": "hang", "seconds": _number(rest, default=None)}
    if word == "stream":
        count, _, rate = rest.partition(" ")
        return {"do": "stream", "count": int(_number(count, default=10) or 0), "rate": _number(rate, default=None)}
    if word == "usage":
        counts = [int(_number(part, default=0) or 0) for part in rest.split()[:2]] + [0, 0]
        return {"do": "usage", "input": counts[0], "output": counts[1]}
    if word == "cut":
        return {"do": "cut", "always": rest == "always"}
    return {"do": word, "text": rest} if word in DIRECTIVES else None


def _fail(rest: str) -> Action:
    words = rest.split()
    if not words or not STATUS.fullmatch(words[0]):
        return {"do": "fail", "code": 0, "text": rest or "The simulated provider was told to fail.", "always": True}
    wait = _number(words[1], default=None) if len(words) > 1 and words[1] != "always" else None
    return {"do": "fail", "code": int(words[0]), "text": "", "retry_after": wait, "always": words[-1] == "always"}


def _number(text: str, *, default: float | None) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else default
