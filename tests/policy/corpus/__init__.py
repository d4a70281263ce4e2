"""Lines of shell, and what policy must at least say of them."""

from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
NEW_LINE = "↵"


def everyday() -> list[str]:
    return [line for _, line in _lines("everyday.txt")]


def unsafe() -> list[tuple[str, str]]:
    """Pairs of the mildest verdict that is right, and the line."""
    return list(_lines("unsafe.txt"))


def _lines(name: str) -> Iterator[tuple[str, str]]:
    heading = "allow"
    for line in (HERE / name).read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif line:
            yield heading, line.replace(NEW_LINE, "\n")
