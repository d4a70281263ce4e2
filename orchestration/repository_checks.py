"""The checks that a repository itself offers: how its tests are run.

Called by planner. Pure over a folder path; reads a few well-known files, runs nothing.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestration.repository_files import FileError, read_bytes

_MAKE_TEST = re.compile(r"^test\s*::?(?!=)", re.MULTILINE)
_PYTEST_SECTION = re.compile(r"^\[(?:tool:)?pytest\]", re.MULTILINE)
_LOCKS = (
    ("pnpm-lock.yaml", "pnpm test"),
    ("yarn.lock", "yarn test"),
    ("bun.lock", "bun run test"),
    ("bun.lockb", "bun run test"),
)


def find_checks(root: Path) -> list[dict[str, Any]]:
    """Command checks in the plan's format; empty where the repository tells of no tests."""
    return _make(root) or [check for find in _FINDERS for check in find(root)]


def _make(root: Path) -> list[dict[str, Any]]:
    """A Makefile's test target is what the team itself runs, so it stands for all the others."""
    for name in ("GNUmakefile", "makefile", "Makefile"):
        if _MAKE_TEST.search(_text(root, name)):
            return [_check("Makefile's tests", "make test")]
    return []


def _node(root: Path) -> list[dict[str, Any]]:
    scripts = _json(root, "package.json").get("scripts")
    script = scripts.get("test") if isinstance(scripts, Mapping) else None
    if not isinstance(script, str) or not script.strip() or "no test specified" in script:
        return []
    return [
        _check("package.json's tests", next((line for lock, line in _LOCKS if (root / lock).is_file()), "npm test"))
    ]


def _python(root: Path) -> list[dict[str, Any]]:
    if not _uses_pytest(root):
        return []
    if (root / "uv.lock").is_file():
        return [_check("pytest", "uv run pytest -q")]
    return [_check("pytest", "poetry run pytest -q" if (root / "poetry.lock").is_file() else "python3 -m pytest -q")]


def _uses_pytest(root: Path) -> bool:
    if any((root / name).is_file() for name in ("pytest.ini", "conftest.py", "tests/conftest.py")):
        return True
    if any(_PYTEST_SECTION.search(_text(root, name)) for name in ("setup.cfg", "tox.ini")):
        return True
    tool = _toml(root, "pyproject.toml").get("tool")
    return isinstance(tool, Mapping) and "pytest" in tool


def _cargo(root: Path) -> list[dict[str, Any]]:
    return [_check("cargo's tests", "cargo test")] if (root / "Cargo.toml").is_file() else []


def _go(root: Path) -> list[dict[str, Any]]:
    return [_check("go's tests", "go test ./...")] if (root / "go.mod").is_file() else []


_FINDERS: tuple[Callable[[Path], list[dict[str, Any]]], ...] = (_node, _python, _cargo, _go)


def _check(name: str, command: str) -> dict[str, Any]:
    return {"kind": "command", "name": name, "command": command}


def _text(root: Path, name: str) -> str:
    with suppress(FileError):
        return read_bytes(root, name).decode("utf-8", "replace")
    return ""


def _json(root: Path, name: str) -> Mapping[str, Any]:
    with suppress(ValueError, RecursionError):
        data = json.loads(_text(root, name))
        return data if isinstance(data, dict) else {}
    return {}


def _toml(root: Path, name: str) -> Mapping[str, Any]:
    with suppress(ValueError, RecursionError):
        return tomllib.loads(_text(root, name))
    return {}
