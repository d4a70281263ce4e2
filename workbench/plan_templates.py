"""Plans to begin with. They are drafts: a person makes them fit before anything is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Step = dict[str, Any]
TOOLS = ["read_file", "list_files", "search_files", "write_file", "edit_file", "run_command", "show_diff"]
PUBLISH = 'git tag "v$VERSION" && git push origin "v$VERSION"'


def _command(key: str, name: str, command: str, **more: Any) -> Step:
    return {"key": key, "name": name, "type": "command", "command": command, **more}


def _passed(key: str) -> Step:
    return {"kind": "expression", "name": f"{key} passed", "expression": f"steps.{key}.exit_code == 0"}


TEMPLATES: Mapping[str, dict[str, Any]] = {
    "checks": {
        "name": "Checks",
        "description": "Lint and tests side by side, then one verdict on both.",
        "steps": [
            _command("lint", "Lint", "make lint", needs=[], effects="repeatable"),
            _command("tests", "Tests", "make test", needs=[], effects="repeatable", retry={"max_attempts": 2}),
            {
                "key": "verdict",
                "name": "All green",
                "type": "validation",
                "needs": ["lint", "tests"],
                "checks": [_passed("lint"), _passed("tests")],
            },
        ],
    },
    "release": {
        "name": "Release",
        "description": "Build, ask two people, publish. Asks for a version at launch.",
        "inputs": {"version": {"type": "string", "required": True, "description": "The version, such as 1.4.0"}},
        "steps": [
            _command("build", "Build", "make build"),
            {
                "key": "approve",
                "name": "Approve the release",
                "type": "approval",
                "instructions": "Read what was built for ${{ inputs.version }}.",
                "quorum": 2,
            },
            _command("publish", "Publish", PUBLISH, env={"VERSION": "${{ inputs.version }}"}),
        ],
    },
    "agent": {
        "name": "Agent with review",
        "description": "An agent does the work, checks look at it, a person accepts it.",
        "steps": [
            {
                "key": "work",
                "name": "Do the work",
                "type": "sdk",
                "provider": "simulated",
                "prompt": "Say here what the agent should do, and how it can tell that it is done.",
                "tools": TOOLS,
            },
            {
                "key": "check",
                "name": "Check the work",
                "type": "validation",
                "checks": [{"kind": "command", "command": "make test"}],
            },
            {
                "key": "accept",
                "name": "Accept the work",
                "type": "approval",
                "instructions": "Read the change and the checks.",
            },
        ],
    },
}  # fmt: skip


def offered(url: str) -> list[dict[str, str]]:
    return [
        {"name": plan["name"], "description": plan["description"], "url": f"{url}?template={name}"}
        for name, plan in TEMPLATES.items()
    ]


def template(name: str) -> dict[str, Any] | None:
    return TEMPLATES.get(name)
