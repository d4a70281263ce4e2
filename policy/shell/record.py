"""What was found in a line so far, and the one way to say what happens to a path."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from policy.shell import marks, paths
from policy.shell.facts import CommandFacts, Finding, LineFacts
from policy.shell.scope import Scope
from policy.shell.words import Word

# Files that no tool runs or reads its settings from.
_INERT = (
    ".txt",
    ".log",
    ".md",
    ".csv",
    ".tsv",
    ".out",
    ".err",
    ".html",
    ".tap",
    ".svg",
    ".png",
    ".diff",
    ".patch",
    ".rst",
    ".tmp",
    ".lst",
)
# Folders and files that builds and runs leave behind.
_MADE = re.compile(
    r"(^|/)\.?(build|dist|out|output|outputs|target|tmp|temp|logs?|coverage|reports?|results?|artifacts)/"
    r"|\.(log|txt|out|tmp|lock|stamp|csv|err|pid)$"
)
_READ_BY_TOOLS = (
    "requirements.txt",
    "constraints.txt",
    "cmakelists.txt",
    "pom.xml",
    "build.xml",
    "ruleset.xml",
    "phpunit.xml",
)
# Written in these shapes by tools for people and dashboards; what they hold is data.
_REPORTED = (".json", ".xml", ".sarif", ".lcov", ".info")
_BUILT = re.compile(r"(build|dist|out|reports?|coverage|artifacts|logs?|tmp)/")
_REPORT = re.compile(
    r"(^|[/_-])(reports?|results?|coverage|audit|benchmarks?|summary|junit|metrics|diagnostics)([/._-]|$)"
)


@dataclass
class Record:
    findings: dict[Finding, None] = field(default_factory=dict)
    commands: list[CommandFacts] = field(default_factory=list)
    reads: dict[str, None] = field(default_factory=dict)
    writes: dict[str, None] = field(default_factory=dict)
    deletes: dict[str, None] = field(default_factory=dict)
    wrote_code: bool = False
    ran_code: bool = False

    def say(self, kind: str, message: str) -> None:
        self.findings.setdefault(Finding(kind, message), None)

    def has(self, *kinds: str) -> bool:
        return any(finding.kind in kinds for finding in self.findings)

    def facts(self) -> LineFacts:
        found = (tuple(kept) for kept in (self.findings, self.reads, self.writes, self.deletes))
        findings, reads, writes, deletes = found
        return LineFacts(tuple(self.commands), findings, reads, writes, deletes)  # type: ignore[arg-type]


def each_place(word: Word, scope: Scope) -> list[paths.Place]:
    return [paths.place(value, cwd, scope.root) for value in word.values for cwd in scope.cwds]


def reads(record: Record, word: Word, scope: Scope, *, contents: bool = True) -> None:
    for place in each_place(word, scope):
        _read(record, place, contents)
    if contents and marks.LISTED in word.values:
        record.say("secret_read", "Reads every file it lists, whatever they hold.")


def writes(record: Record, word: Word, scope: Scope, *, by_hand: bool = True) -> None:
    """`by_hand`: what is written is the line's own choice, not a tool's report or build."""
    for place in each_place(word, scope):
        _write(record, place, by_hand)
    if any(marks.STAR in value for value in word.values):
        record.say("unknown", f"Writes to a file known by pattern only: {word.shown}.")


def empties(record: Record, word: Word, scope: Scope) -> None:
    """A log or a build's file is begun anew; anything else is lost."""
    for place in each_place(word, scope):
        if place.where == "inside" and not _MADE.search(place.path.lower()):
            record.say("delete", f"Empties a file: {place.path}.")


def deletes(record: Record, word: Word, scope: Scope, *, recursive: bool) -> None:
    for place in each_place(word, scope):
        _delete(record, place, recursive)


def _read(record: Record, place: paths.Place, contents: bool) -> None:
    if place.where in ("stream", "scratch", "device", "public"):
        return
    record.reads.setdefault(place.path, None)
    if place.where == "unknown":
        record.say("unknown", f"Reads a file that can't be known beforehand: {place.path}.")
    elif place.credentials:
        record.say("credentials", f"Reads credentials outside the workspace: {place.path}.")
    elif place.where == "outside":
        record.say("read_outside", f"Reads outside the workspace: {place.path}.")
    elif contents and (place.secret or (place.git and place.parts[-1].lower() == "config")):
        record.say("secret_read", f"Reads a file that usually holds secrets: {place.path}.")
    else:
        record.say("read", "Reads inside the workspace.")


def _write(record: Record, place: paths.Place, by_hand: bool) -> None:
    if place.where == "device":
        if place.path not in paths.NULL_DEVICES:
            record.say("device", f"Writes to a device: {place.path}.")
        return
    record.writes.setdefault(place.path, None)
    if place.where == "scratch":
        record.say("scratch", "Writes to the step's own outputs.")
    elif place.where in ("unknown", "stream"):
        record.say("unknown", f"Writes to a file that can't be known beforehand: {place.path}.")
    elif place.where in ("outside", "public"):
        _write_outside(record, place)
    elif place.git:
        _write_git(record, place)
    elif place.protected:
        record.say("protected_write", f"Changes settings that tools act upon: {place.path}.")
    else:
        record.say("write", "Writes inside the workspace.")
        record.wrote_code = record.wrote_code or (by_hand and not _inert(place))


def _write_outside(record: Record, place: paths.Place) -> None:
    if place.device:
        record.say("device", f"Writes to a device: {place.path}.")
    elif place.system or place.credentials:
        record.say("system_write", f"Writes to system or home settings: {place.path}.")
    elif ".git" in place.path.split("/"):
        record.say("persistence", f"Changes another repository's git folder: {place.path}.")
    else:
        record.say("write_outside", f"Writes outside the workspace: {place.path}.")


def _write_git(record: Record, place: paths.Place) -> None:
    record.say(
        "persistence", f"Changes the repository's git folder, where code and settings are run from: {place.path}."
    )


def _delete(record: Record, place: paths.Place, recursive: bool) -> None:
    record.deletes.setdefault(place.path, None)
    if place.where == "scratch":
        record.say("delete", f"Deletes the step's own files: {place.path}.")
    elif place.where == "unknown" or place.where == "stream":
        record.say("delete", f"Deletes files that can't be known beforehand: {place.path}.")
        record.say("unknown", f"What is deleted can't be known beforehand: {place.path}.")
    elif place.where == "inside":
        _delete_inside(record, place, recursive)
    elif place.system or place.credentials or recursive:
        record.say("destroy", f"Deletes outside the workspace: {place.path}.")
    else:
        record.say("delete_outside", f"Deletes outside the workspace: {place.path}.")


def _delete_inside(record: Record, place: paths.Place, recursive: bool) -> None:
    if place.git:
        record.say("destroy", f"Deletes the repository's history: {place.path}.")
    elif recursive and place.parts in ((), (marks.STAR,)):
        record.say("destroy", "Deletes the whole workspace.")
    else:
        record.say("delete", f"Deletes inside the workspace: {place.path}.")


def _inert(place: paths.Place) -> bool:
    name = place.parts[-1].lower() if place.parts else ""
    path = "/".join(place.parts).lower()
    if name.endswith(_REPORTED) and (_REPORT.search(path) or _BUILT.match(path)):
        return True
    # pytest reads test*.txt for the examples in it.
    read = name in _READ_BY_TOOLS or (name.startswith("test") and name.endswith((".txt", ".rst")))
    return name.endswith(_INERT) and not read
