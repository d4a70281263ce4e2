"""The phases of an implementation plan: one for each distinct phase number, in order.

Called by planner. Pure: outlines in, phases out. Headings that only speak of phases ("Phase 2 Deliverables",
"Phase Overview", "Tests (Phases 1-6)") start none. Where a document has no phase headings, its phase table, and then
its list lines in bold, are read instead.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from orchestration.headings import ITEM_LEVEL, Heading, Outline

MAX_PHASES = 200

_WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]
_NUMBER = rf"\d{{1,3}}(?:\.\d{{1,3}})?[a-z]?|(?-i:[IVX]{{1,4}}|[A-Z])|{'|'.join(_WORDS)}"
_LEADING = re.compile(r"^(?:\[[ xX]\]|[^\w(]|\d+(?:\.\d+)*[.)]?\s)*(?:implementation\s+(?=phase))?", re.IGNORECASE)
_PHASE = re.compile(rf"^phase[\s_#:-]*(?P<number>{_NUMBER})(?![\w.]*\w)(?P<rest>.*)$", re.IGNORECASE)
_RANGE = re.compile(r"^[-\u2013\u2014]\d|^\s+[-\u2013\u2014]\s*\d+\s*(?:$|[:.)\]])")
_OF = re.compile(r"^\s*(?:of|/)\s*\d+(?=\W|$)", re.IGNORECASE)
_TALK = re.compile(r"^(?:[\w,/&+'\u2019\u2190-\u21ff=<>~]|-\w|->)")
_EDGES = " \t:.|-\u2013\u2014)]\ufe0f\u20e3"
_CELL = re.compile(rf"^(?:phase\s*|p)?(?P<number>{_NUMBER})(?![\w.]*\w)(?P<rest>.*)$", re.IGNORECASE)
_FILE = re.compile(r"(?:^|[-_.])phase[-_]?(?P<number>\d{1,3}[a-z]?)(?P<range>[-_]\d{1,3}(?=[-_.]))?", re.IGNORECASE)


@dataclass(frozen=True)
class Phase:
    number: str
    title: str
    text: str
    path: str = ""  # the file that the phase has of its own

    @property
    def label(self) -> str:
        return f"Phase {self.number}: {self.title}" if self.title else f"Phase {self.number}"


def find_phases(outline: Outline) -> tuple[Phase, ...]:
    found = _from_headings(outline, outline.headings) or _from_tables(outline) or _from_items(outline)
    return in_order(found)


def phase_of_file(path: str, declared: str, outline: Outline) -> tuple[Phase, ...]:
    """The phases of a file of their own: as declared by its front matter, its headings, or its name."""
    inside = find_phases(outline)
    number = normal_number(declared) or ("" if len(inside) > 1 else _number_in_name(path))
    if not number:
        return tuple(replace(phase, path=path) for phase in inside)
    title = next((phase.title for phase in inside if phase.number == number), "")
    whole = Phase(number, title or _first_heading(outline), outline.section(0, len(outline.lines)), path)
    return (whole,)


def in_order(phases: Iterable[Phase]) -> tuple[Phase, ...]:
    """Same number, same phase: the first names it, each adds its text."""
    told: dict[str, list[Phase]] = {}
    for phase in phases:
        told.setdefault(phase.number, []).append(phase)
    return tuple(_joined(told[number]) for number in sorted(told, key=_position))


def parse_title(text: str) -> tuple[str, str] | None:
    """Number and title of a heading that starts a phase; None for all others."""
    match = _PHASE.match(_LEADING.sub("", text, count=1))
    if match is None:
        return None
    rest = _OF.sub("", match["rest"])
    label = match["number"]
    if _RANGE.match(rest) or _TALK.match(rest.strip()):
        return None
    if label.isalpha() and label.lower() not in _WORDS and not rest.strip():
        return None
    return normal_number(label), rest.strip().lstrip(_EDGES).rstrip(" :")[:200]


def normal_number(label: str) -> str:
    """ "03", "III" and "three" are all phase 3."""
    label = label.strip()
    if label.lower() in _WORDS:
        return str(_WORDS.index(label.lower()) + 1)
    if label in _ROMAN:
        return str(_ROMAN.index(label) + 1)
    if re.fullmatch(r"\d{1,3}\.0", label):
        return str(int(label[:-2]))
    match = re.fullmatch(r"0*(\d{1,3}(?:\.\d{1,3})?[a-z]?|[A-Za-z])", label)
    return match[1].lower() if match else ""


def _from_headings(outline: Outline, headings: Sequence[Heading]) -> list[Phase]:
    starts = _starts(headings)
    lines = {heading.line for _, heading, _, _ in starts}
    phases: list[Phase] = []
    for position, heading, number, title in starts:
        end = _end_of_section(headings, position, lines, len(outline.lines))
        # An item's words stand on its own line.
        first = heading.line + (heading.level != ITEM_LEVEL)
        phases.append(Phase(number, title, outline.section(first, end)))
    return phases


def _from_items(outline: Outline) -> list[Phase]:
    items = [item for item in outline.items if parse_title(item.text)]
    return _from_headings(outline, sorted((*outline.headings, *items), key=lambda heading: heading.line))


def _starts(headings: Sequence[Heading]) -> list[tuple[int, Heading, str, str]]:
    starts: list[tuple[int, Heading, str, str]] = []
    enclosing: tuple[int, str] | None = None
    for position, heading in enumerate(headings):
        if enclosing and heading.level <= enclosing[0]:
            enclosing = None
        parsed = parse_title(heading.text)
        if parsed is None or (enclosing and _is_part(parsed[0], enclosing[1])):
            continue
        enclosing = (heading.level, parsed[0])
        starts.append((position, heading, *parsed))
    return _without_document_title(starts)


def _is_part(number: str, outer: str) -> bool:
    """Phase 2.1 below phase 2 is a part of it, and so is phase 2 itself, named again."""
    return bool(re.fullmatch(rf"{re.escape(outer)}(\.\d+|[a-z])?", number))


def _without_document_title(starts: list[tuple[int, Heading, str, str]]) -> list[tuple[int, Heading, str, str]]:
    """ "# Phase 4: Orchestration" above phases 1 to 7 is the name of the whole document."""
    if len(starts) < 2 or starts[0][1].level != 1 or starts[0][0] != 0:
        return starts
    inner = [start for start in starts[1:] if start[1].level > 1]
    named = _position(starts[0][2])
    whole = len(inner) == len(starts) - 1 and any(_position(number) <= named for _, _, number, _ in inner)
    return starts[1:] if whole else starts


def _end_of_section(headings: Sequence[Heading], position: int, starts: set[int], end: int) -> int:
    level = headings[position].level
    following = (headings[place] for place in range(position + 1, len(headings)))
    return next((heading.line for heading in following if heading.level <= level or heading.line in starts), end)


def _from_tables(outline: Outline) -> list[Phase]:
    for rows in outline.tables:
        column = _phase_column(rows[0]) if rows else None
        phases = [p for row in rows[1:] if (p := _phase_of_row(rows[0], row, column))] if column is not None else []
        if phases:
            return phases
    return []


def _phase_column(header: Sequence[str]) -> int | None:
    names = [re.sub(r"[^a-z#]+", " ", cell.lower()).strip() for cell in header[:2]]
    return next((i for i, name in enumerate(names) if name in ("phase", "phases", "phase #", "phase no")), None)


def _phase_of_row(header: Sequence[str], row: Sequence[str], column: int) -> Phase | None:
    match = _CELL.match(row[column].strip()) if column < len(row) else None
    rest = match["rest"] if match else ""
    if (
        match is None
        or _RANGE.match(rest)
        or (match["number"].isalpha() and not row[column].lower().startswith("phase"))
    ):
        return None
    named = {re.sub(r"\W+", " ", name.lower()).strip(): cell for name, cell in zip(header, row, strict=False)}
    others = (named.get(name, "") for name in ("title", "name", "phase title", "focus", "scope", "goal", "description"))
    title = rest.strip(_EDGES) or next((cell for cell in others if cell), "")
    text = "\n".join(f"{name}: {cell}" for name, cell in zip(header, row, strict=False) if cell)
    return Phase(normal_number(match["number"]), title[:200], text)


def _joined(told: Sequence[Phase]) -> Phase:
    return replace(
        told[0],
        title=next((phase.title for phase in told if phase.title), ""),
        text="\n\n".join(phase.text for phase in told if phase.text),
        path=next((phase.path for phase in told if phase.path), ""),
    )


def _position(number: str) -> tuple[int, int, str]:
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?([a-z]?)", number)
    return (int(match[1]), int(match[2] or 0), match[3]) if match else (ord(number[0]) - ord("a") + 1, 0, number)


def _number_in_name(path: str) -> str:
    match = _FILE.search(PurePosixPath(path).name)
    return normal_number(match["number"]) if match and not match["range"] else ""


def _first_heading(outline: Outline) -> str:
    return outline.headings[0].text[:200] if outline.headings else ""
