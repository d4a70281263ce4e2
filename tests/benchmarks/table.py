"""The figures as a table: for a terminal, or as docs/performance.md has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.catalogue import LINES, Line

Figures = Mapping[str, Mapping[str, tuple[float, Mapping[str, float]]]]  # database -> key -> value and parts
WORDS = {True: "ok", False: "missed", None: ""}


def plain(found: Figures) -> str:
    rows = _rows(found)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def markdown(found: Figures) -> str:
    head, *rows = _rows(found)
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _rows(found: Figures) -> list[list[str]]:
    databases = list(found)
    head = ["what", *(word for name in databases for word in (name, "goal", "")), "of which"]
    shown = [line for line in LINES if any(line.key in figures for figures in found.values())]
    return [head, *(_row(line, found, databases) for line in shown)]


def _row(line: Line, found: Figures, databases: Sequence[str]) -> list[str]:
    cells = [line.text]
    for name in databases:
        value, _ = found[name].get(line.key, (None, {}))
        cells += _cells(line, name, value)
    return [*cells, "; ".join(_parts(line, name, found[name]) for name in databases if _parts(line, name, found[name]))]


def _cells(line: Line, database: str, value: float | None) -> list[str]:
    goal = line.goal(database)
    said = "" if goal is None else f"{'≥' if line.least else '≤'} {goal:g}"
    if value is None:
        return ["", said, ""]
    return [f"{_number(value)} {line.unit}".strip(), said, WORDS[line.holds(database, value)]]


def _parts(line: Line, database: str, figures: Mapping[str, tuple[float, Mapping[str, float]]]) -> str:
    _, parts = figures.get(line.key, (0.0, {}))
    said = ", ".join(f"{name} {_number(value)}" for name, value in parts.items())
    return f"{database}: {said}" if said else ""


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
