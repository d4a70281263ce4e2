"""Values into a step: placeholders in env, prompt and instructions, and what expressions may see.

Nothing is ever filled into a command, so that what was approved is what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.engine.environments import with_environment
from orchestration.engine.errors import Unfilled
from orchestration.engine.image import Image
from orchestration.plan_rules import PLACEHOLDER, REFERENCE, STEP_NAMED


def filled_definition(image: Image, place: int) -> dict[str, Any]:
    """The step's definition as it would start now. Raises Unfilled."""
    definition = dict(image.plan.definitions[place])
    for name in ("prompt", "instructions", "system"):
        if "${{" in definition.get(name, ""):
            definition[name] = _fill(image, definition[name])
    if definition["type"] == "command":
        definition = with_environment(definition, image.plan.header.get("env", {}), image.run.project_id)
        env = definition.get("env", {})
        definition["env"] = {name: _fill(image, value) if "${{" in value else value for name, value in env.items()}
    return definition


def is_fixed(definition: Mapping[str, Any]) -> bool:
    """Whether nothing is filled into this step, so that one verdict serves every start of it."""
    if definition.get("env_profile"):
        return False
    texts = [definition.get("prompt", ""), definition.get("instructions", ""), *definition.get("env", {}).values()]
    return not any("${{" in text for text in texts)


def scope_for(image: Image, source: str) -> dict[str, Any]:
    """What a CEL expression sees; only the steps that it names, so that a chain of checks stays linear."""
    named = {dotted or indexed for dotted, indexed in STEP_NAMED.findall(source)}
    places = [image.plan.place[key] for key in named if key in image.plan.place]
    if "steps" in source and not named:
        places = list(range(len(image.steps)))
    return scope(image, places)


def scope(image: Image, places: list[int]) -> dict[str, Any]:
    run = image.run
    return {
        "inputs": run.inputs,
        "steps": {image.steps[place].key: _facts(image, place) for place in places},
        "run": {"id": str(run.pk), "number": run.number},
        "feature": run.feature.slug,
        "project": run.project.slug,
    }


def _facts(image: Image, place: int) -> dict[str, Any]:
    step = image.steps[place]
    return {
        "state": image.states[place],
        "exit_code": step.exit_code,
        "outputs": step.outputs,
        "attempt": step.attempt,
    }


def _fill(image: Image, text: str) -> str:
    return PLACEHOLDER.sub(lambda found: _value(image, found.group(1)), text)


def _value(image: Image, inside: str) -> str:
    found = REFERENCE.match(inside)
    if found and found["input"]:
        value = image.run.inputs.get(found["input"])
        return "" if value is None else _as_text(value)
    if found and found["step"] in image.plan.place:
        outputs = image.steps[image.plan.place[found["step"]]].outputs
        if found["output"] in outputs:
            return _as_text(outputs[found["output"]])
    raise Unfilled(f"{inside} has no value: the step did not set it.")


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
