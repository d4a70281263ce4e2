"""The tools that read and change files of the workspace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

from . import paths
from .base import Place, Tool, ToolFailure, ToolOutput, parameters, text

MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_LINES = 2000
MAX_NAMES = 1000
PATH = text("Path relative to the workspace.")


def read_file(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    content = _read(place, arguments["path"])
    lines = content.splitlines(keepends=True)
    first = max(1, int(arguments.get("first_line", 1)))
    count = min(int(arguments.get("lines", MAX_LINES)), MAX_LINES)
    shown = lines[first - 1 : first - 1 + count]
    rest = len(lines) - (first - 1 + len(shown))
    more = f"\n[… {rest} more lines; ask for first_line {first + len(shown)} …]" if rest > 0 else ""
    return ToolOutput("".join(shown) + more, summary=f"{len(shown)} of {len(lines)} lines of {arguments['path']}")


def list_files(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    path, pattern = arguments.get("path", "."), arguments.get("pattern")
    found = paths.walk if arguments.get("recursive") else paths.children
    names: list[str] = []
    try:
        for name, is_folder in found(place.workspace, path):
            if pattern and not fnmatch(name.rsplit("/", 1)[-1], pattern):
                continue
            if len(names) == MAX_NAMES:
                names.append(f"[… more than {MAX_NAMES} names; ask for a deeper folder or a pattern …]")
                break
            names.append(f"{name}/" if is_folder else name)
    except (OSError, paths.PathRefused) as error:
        raise _failure(path, error) from None
    return ToolOutput("\n".join(names) or "(nothing there)", summary=f"{len(names)} names in {path}")


def write_file(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    data = arguments["content"].encode("utf-8", "replace")
    new = _write(place, arguments["path"], data)
    done = f"{'created' if new else 'replaced'} {arguments['path']} ({len(data)} bytes)"
    return ToolOutput(done, facts={"path": arguments["path"], "bytes": len(data)})


def edit_file(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    path, old, new = arguments["path"], arguments["old"], arguments["new"]
    before = _read(place, path, strict=True)
    count = before.count(old) if old else 0
    if not count:
        raise ToolFailure(f"the text to replace was not found in {path}; read the file again and give it exactly")
    if count > 1 and not arguments.get("all"):
        raise ToolFailure(
            f"the text to replace stands {count} times in {path}; give more of its surroundings, or all: true"
        )
    after = before.replace(old, new).encode("utf-8", "replace")
    _remember(place, {"before": _digest(before.encode()), "after": _digest(after)})
    _write(place, path, after)
    places = "1 place" if count == 1 else f"{count} places"
    return ToolOutput(f"edited {path} in {places}", facts={"path": path, "bytes": len(after)})


def take_up_edit(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    """Whether the edit was made before the process died is read from the file itself."""
    intent = _remembered(place)
    if intent is None:
        return edit_file(arguments, place)
    now = _digest(_read(place, arguments["path"], strict=True).encode())
    if now == intent["after"]:
        return ToolOutput(f"edited {arguments['path']}", facts={"path": arguments["path"]})
    if now == intent["before"]:
        return edit_file(arguments, place)
    raise ToolFailure(
        f"this edit was interrupted and {arguments['path']} has changed since; read it again before you edit"
    )


def _read(place: Place, path: str, *, strict: bool = False) -> str:
    try:
        data = paths.read_bytes(place.workspace, path, MAX_FILE_BYTES)
        return data.decode("utf-8", "strict" if strict else "replace")
    except UnicodeDecodeError:
        raise ToolFailure(f"{path} is not a text file in UTF-8") from None
    except (OSError, paths.PathRefused) as error:
        raise _failure(path, error) from None


def _write(place: Place, path: str, data: bytes) -> bool:
    if len(data) > MAX_FILE_BYTES:
        raise ToolFailure(f"{path} would be larger than {MAX_FILE_BYTES} bytes")
    try:
        return paths.write_bytes(place.workspace, path, data)
    except (OSError, paths.PathRefused) as error:
        raise _failure(path, error) from None


def _failure(path: str, error: OSError | paths.PathRefused) -> ToolFailure:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ToolFailure(f"{path}: {reason}")


def _remember(place: Place, intent: dict[str, str]) -> None:
    paths.write_bytes(place.spool, "intent.json", json.dumps(intent).encode())


def _remembered(place: Place) -> dict[str, str] | None:
    try:
        intent = json.loads(paths.read_bytes(place.spool, "intent.json", 4096))
    except (OSError, ValueError):
        return None
    return {"before": str(intent["before"]), "after": str(intent["after"])}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


NUMBER = {"type": "integer", "minimum": 1}
FLAG = {"type": "boolean"}
CONTENT = text("The whole new text.", MAX_FILE_BYTES)
READ_FILE = Tool(
    "read_file",
    "Read a text file of the workspace, whole or a range of lines.",
    parameters({"path": PATH}, {"first_line": NUMBER, "lines": NUMBER}),
    read_file,
)
LIST_FILES = Tool(
    "list_files",
    "List files and folders (with a slash at the end) of the workspace.",
    parameters({}, {"path": PATH, "recursive": FLAG, "pattern": text("Wildcards for the name, such as *.py", 200)}),
    list_files,
)
WRITE_FILE = Tool(
    "write_file",
    "Create a file in the workspace or replace its whole content.",
    parameters({"path": PATH, "content": CONTENT}),
    write_file,
    effects=True,
)
EDIT_FILE = Tool(
    "edit_file",
    "Replace a text that stands exactly once in a file (every time with all: true).",
    parameters({"path": PATH, "old": text("Exact text to replace.", MAX_FILE_BYTES), "new": CONTENT}, {"all": FLAG}),
    edit_file,
    effects=True,
    take_up=take_up_edit,
)
