"""The tools by which an agent shows what it did: the change so far, and artifacts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import paths
from .base import Place, Tool, ToolFailure, ToolOutput, parameters, text

MAX_ARTIFACT_CHARS = 2 * 1024 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


def show_diff(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    diff = place.diff()
    files = sum(1 for line in diff.splitlines() if line.startswith("diff --git "))
    return ToolOutput(diff or "(nothing has changed)", summary=f"{files} files changed so far")


def write_artifact(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    name = arguments["name"]
    if not NAME.fullmatch(name):
        raise ToolFailure("an artifact's name is a plain file name: letters, digits, dot, dash and underscore")
    data = arguments["content"].encode("utf-8", "replace")
    if len(data) > place.context.limits.max_artifact_bytes:
        raise ToolFailure(f"an artifact may have at most {place.context.limits.max_artifact_bytes} bytes")
    place.context.artifacts_dir.mkdir(parents=True, exist_ok=True)
    try:
        paths.write_bytes(place.context.artifacts_dir, name, data)
    except (OSError, paths.PathRefused) as error:
        raise ToolFailure(f"{name}: {error.strerror if isinstance(error, OSError) else error}") from None
    return ToolOutput(f"kept the artifact {name} ({len(data)} bytes)", facts={"artifact": name, "bytes": len(data)})


SHOW_DIFF = Tool(
    "show_diff", "Show what this run has changed in the workspace so far, as a unified diff.", parameters({}), show_diff
)
WRITE_ARTIFACT = Tool(
    "write_artifact",
    "Keep a text as an artifact of this step, such as a report or a plan.",
    parameters({"name": text("File name.", 121), "content": text("The whole text.", MAX_ARTIFACT_CHARS)}),
    write_artifact,
    effects=True,
)
