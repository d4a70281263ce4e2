"""One database's share, in a process of its own: sets up a fresh product and says each figure as a JSON line."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # the browser's loop runs on the thread that reads rows
django.setup()

from django.core.management import call_command  # noqa: E402

from ccdash import database  # noqa: E402
from tests.benchmarks import catalogue  # noqa: E402
from tests.benchmarks.figures import Figure  # noqa: E402


def main(names: list[str]) -> None:
    call_command("migrate", verbosity=0, skip_checks=True)
    _require_durability()
    for name in names:
        _run(name, catalogue.function(name))


def _require_durability() -> None:
    from django.db import connection

    if phrases := database.unexpected_values(connection):
        raise SystemExit(f"Not as in production: {'; '.join(phrases)}")


def _run(name: str, act: Callable[[], Iterable[Figure]]) -> None:
    try:
        for figure in act():
            _say({"figure": asdict(figure)})
    except Exception:  # noqa: BLE001 - the others are still worth running; the table names this one
        _say({"failed": name, "why": traceback.format_exc()})


def _say(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
