"""The list of abuse cases names tests that exist, and leaves no row without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure
ROWS = [
    line
    for line in Path("docs/abuse-cases.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("| ---", "| what is tried"))
]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_row_names_a_test() -> None:
    assert len(ROWS) > 50
    assert [row for row in ROWS if not NAMED.search(row)] == []


def test_every_test_that_is_named_exists() -> None:
    named = {found for row in ROWS for found in NAMED.findall(row)}
    assert [f"{file}::{name}" for file, name in sorted(named) if f"def {name}(" not in Path(file).read_text()] == []
