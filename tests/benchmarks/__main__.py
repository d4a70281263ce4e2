"""script/bench: runs the benchmarks on each database, one after the other, and prints the table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import servers
from tests.benchmarks import table
from tests.benchmarks.catalogue import BENCHMARKS, POSTGRESQL, SQLITE

ROOT = Path(__file__).resolve().parents[2]
Found = dict[str, tuple[float, dict[str, float]]]


def main() -> int:
    chosen = _arguments()
    names = chosen.names or [name for name, (_, usual) in BENCHMARKS.items() if usual]
    if chosen.large and "large" not in names:
        names.append("large")
    found: dict[str, Found] = {}
    broken: list[str] = []
    for database in chosen.database or [SQLITE, POSTGRESQL]:
        found[database] = _measure(database, names, broken)
    print(table.markdown(found) if chosen.markdown else table.plain(found))
    print("\n".join(broken), file=sys.stderr)
    return int(bool(broken))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*BENCHMARKS, []], help=", ".join(BENCHMARKS))
    parser.add_argument("--large", action="store_true", help="also the pages over 10,000 runs and 1,000,000 events")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/performance.md")
    parser.add_argument("--database", action="append", choices=[SQLITE, POSTGRESQL])
    return parser.parse_args()


def _measure(database: str, names: list[str], broken: list[str]) -> Found:
    found: Found = {}
    started = time.monotonic()
    try:
        with _product(database) as environment:
            for line in _lines(names, environment):
                _take(line, database, found, broken)
    except servers.Unavailable as reason:
        broken.append(f"{database} was left out: {reason}")
    print(f"{database}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return found


def _take(line: dict[str, Any], database: str, found: Found, broken: list[str]) -> None:
    if "figure" in line:
        figure = line["figure"]
        found[figure["key"]] = (figure["value"], figure["parts"])
        print(f"  {figure['key']}: {figure['value']:.3f}", file=sys.stderr)
    else:
        broken.append(f"{line['failed']} failed on {database}:\n{line['why']}")


def _lines(names: list[str], environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.benchmarks.child", *names]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            yield json.loads(line)
    if child.returncode:
        yield {"failed": "the whole pass", "why": f"it ended with code {child.returncode}"}


@contextmanager
def _product(database: str) -> Iterator[dict[str, str]]:
    """A data folder of its own on a real disk, and nobody's settings."""
    with tempfile.TemporaryDirectory(prefix="ccdash-bench-", dir="/var/tmp") as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CCDASH_", "DJANGO_"))},
            "CCDASH_DATA_DIR": folder,
            "CCDASH_LOG_LEVEL": "ERROR",
            "CCDASH_EMBEDDED": "0",
            "DATABASE_URL": "",
        }
        if database == SQLITE:
            yield environment
            return
        with servers.Postgres() as postgres:
            yield environment | {"DATABASE_URL": postgres.url}


if __name__ == "__main__":
    sys.exit(main())
