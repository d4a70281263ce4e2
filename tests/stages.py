"""Everything a change must pass, stage by stage: what `script/test` runs when it is given no arguments.

A stage that fails does not stop the others. What this machine can't offer is left out by name, and with CI=true
that is a failure too.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests import bubblewrap, chromium, servers

OURS = ["ccdash", "workbench", "orchestration", "policy"]
MANAGE = [sys.executable, "manage.py"]
PYTEST = [sys.executable, "-m", "pytest", "--durations=10"]


@dataclass(frozen=True)
class Stage:
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    name: str
    passed: bool
    seconds: float


class Machine:
    """What can be had here; each thing that can't is remembered with the reason."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.left_out: list[str] = []
        self.postgres = self._offer("PostgreSQL pass", lambda: self._entered(servers.Postgres).url)
        self.redis = self._offer("Redis in the PostgreSQL pass", lambda: self._entered(servers.Redis).url)
        self.browser = self._offer("browser tests", chromium.find)
        self.sandbox = self._offer("tests of the sandbox", bubblewrap.find)

    def _entered(self, kind: type[servers.Redis] | type[servers.Postgres]) -> servers.Redis | servers.Postgres:
        return self.stack.enter_context(kind())  # type: ignore[return-value]

    def _offer(self, what: str, get: Callable[[], str]) -> str:
        try:
            return get()
        except servers.Unavailable as reason:
            self.left_out.append(f"{what}: {reason}")
            return ""


def stages(machine: Machine, folder: str) -> list[Stage]:
    sqlite = {"CCDASH_DATA_DIR": f"{folder}/sqlite"}
    left_out = ["browser"] * (not machine.browser) + ["sandbox"] * (not machine.sandbox)
    chosen = " and ".join(f"not {mark}" for mark in ("postgres_only", *left_out))
    return [
        Stage("Lint", [sys.executable, "-m", "ruff", "check"]),
        Stage("Format", [sys.executable, "-m", "ruff", "format", "--check"]),
        Stage("Types", [sys.executable, "-m", "mypy"]),
        Stage("Import contract", [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]),
        Stage("No migration is missing", [*MANAGE, "makemigrations", "--check", "--dry-run"], sqlite),
        Stage(
            "Deployment checks", [*MANAGE, "check", "--deploy", "--fail-level=WARNING"], sqlite | {"CCDASH_HTTPS": "1"}
        ),
        Stage("Migrations both ways, SQLite", [sys.executable, "-m", "tests.migrations"], sqlite),
        Stage("Tests, SQLite", [*PYTEST, "-m", chosen]),
        *(_on_postgresql(machine, folder) if machine.postgres else []),
    ]


def _on_postgresql(machine: Machine, folder: str) -> list[Stage]:
    services = {"DATABASE_URL": machine.postgres, "REDIS_URL": machine.redis}
    migrations = services | {"CCDASH_DATA_DIR": f"{folder}/postgresql"}
    return [
        Stage("Migrations both ways, PostgreSQL", [sys.executable, "-m", "tests.migrations"], migrations),
        Stage("Tests, PostgreSQL and Redis", [*PYTEST, "-m", "not pure and not browser and not sandbox"], services),
    ]


def run(stage: Stage) -> Result:
    print(f"\n== {stage.name}", flush=True)
    started = time.monotonic()
    done = subprocess.run(stage.command, env=_neutral_environment() | stage.environment, check=False)
    result = Result(stage.name, done.returncode == 0, time.monotonic() - started)
    print(f"-- {stage.name}: {'passed' if result.passed else 'FAILED'} in {result.seconds:.1f} s", flush=True)
    return result


def report(results: list[Result], left_out: list[str]) -> int:
    print("\n== Summary")
    for result in results:
        print(f"{'passed' if result.passed else 'FAILED'}  {result.seconds:6.1f} s  {result.name}")
    for line in left_out:
        print(f"left out  {line}")
    incomplete = bool(left_out) and os.environ.get("CI") == "true"
    failed = not all(result.passed for result in results) or incomplete
    print("Not everything passed." if failed else "Everything passed.")
    return int(failed)


def _neutral_environment() -> dict[str, str]:
    """Without the settings of whoever starts this: no key, no database of theirs."""
    ours = ("CCDASH_", "OPENAI_", "ANTHROPIC_")
    exact = {"DATABASE_URL", "REDIS_URL", "HOST", "PORT"}
    return {name: value for name, value in os.environ.items() if not name.startswith(ours) and name not in exact}


def main() -> int:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ccdash-"))
        machine = Machine(stack)
        return report([run(stage) for stage in stages(machine, folder)], machine.left_out)


if __name__ == "__main__":
    sys.exit(main())
