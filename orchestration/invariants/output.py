"""What steps left: artifacts in their store, logs without a gap: 22, 25."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Func, IntegerField

from orchestration.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore
from orchestration.invariants.breach import Breach
from orchestration.invariants.facts import ArtifactRow, RunFacts
from orchestration.models import LogChunk

ATTEMPTS_AT_ONCE = 500


class Artifacts:
    """Each content is read once, however many artifacts are of it."""

    def __init__(self) -> None:
        self._root = Path(settings.ARTIFACTS_DIR)
        self._store = ArtifactStore(self._root)
        self._known: dict[tuple[str, int], str] = {}

    def check(self, facts: RunFacts) -> Iterator[Breach]:
        keys = {step.id: step.key for step in facts.steps}
        for artifact in facts.artifacts:
            if fault := self._fault(artifact):
                message = f"Artifact {artifact.name!r}: {fault}"
                yield Breach(22, message, facts.run.id, keys.get(artifact.step_run_id, ""))

    def _fault(self, artifact: ArtifactRow) -> str:
        content = (artifact.sha256, artifact.size)
        if content not in self._known:
            self._known[content] = self._look(artifact)
        return self._known[content]

    def _look(self, artifact: ArtifactRow) -> str:
        try:
            path = self._store.path(artifact.sha256)
            if not path.resolve().is_relative_to(self._root.resolve()):
                return "its file leads out of the store."
            self._store.verify(artifact.sha256, artifact.size)
        except (ArtifactDamaged, ArtifactMissing) as error:
            return str(error)
        except OSError as error:
            return f"its file can't be read: {error.strerror}."
        return ""


@dataclass
class _Tiles:
    size: int = 0
    lines: int = 0
    fault: str = ""


def check_logs(found: Sequence[RunFacts]) -> Iterator[Breach]:
    """Chunk after chunk begins where the one before ended, to the size that the attempt counts."""
    tiles: dict[uuid.UUID, _Tiles] = defaultdict(_Tiles)
    attempts = {attempt.id: attempt for facts in found for attempt in facts.all_attempts()}
    names = list(attempts)
    for start in range(0, len(names), ATTEMPTS_AT_ONCE):
        _lay(tiles, names[start : start + ATTEMPTS_AT_ONCE])
    steps = {step.id: step for facts in found for step in facts.steps}
    for attempt in attempts.values():
        laid = tiles.get(attempt.id) or _Tiles()
        fault = laid.fault
        if not fault and laid.size != attempt.log_size:
            fault = f"it ends at {laid.size}, and the attempt counts {attempt.log_size} bytes."
        if fault:
            step = steps[attempt.step_run_id]
            yield Breach(25, f"The log of attempt {attempt.number}: {fault}", step.run_id, step.key)


def _lay(tiles: dict[uuid.UUID, _Tiles], names: Sequence[uuid.UUID]) -> None:
    chunks = LogChunk.objects.filter(attempt_id__in=names).order_by("attempt_id", "offset", "id")
    measured = chunks.annotate(bytes=_Bytes("text"), breaks=_Breaks("text"))
    for pk, offset, size, first_line, length, breaks in measured.values_list(
        "attempt_id", "offset", "size", "first_line", "bytes", "breaks"
    ).iterator():
        laid = tiles[pk]
        if not laid.fault and (offset, first_line) != (laid.size, laid.lines):
            laid.fault = f"a chunk begins at {offset} (line {first_line}) and not at {laid.size} (line {laid.lines})."
        if not laid.fault and length != size:
            laid.fault = f"the chunk at {offset} has {length} bytes and says {size}."
        laid.size, laid.lines = offset + size, first_line + breaks


class _Bytes(Func):
    """How many bytes a text has as UTF-8."""

    output_field = IntegerField()

    def as_sqlite(self, compiler, connection, **more):  # type: ignore[no-untyped-def]
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **more)

    def as_postgresql(self, compiler, connection, **more):  # type: ignore[no-untyped-def]
        return self.as_sql(compiler, connection, template="OCTET_LENGTH(%(expressions)s)", **more)


class _Breaks(Func):
    """How many line breaks a text has, counted without sending the text."""

    output_field = IntegerField()

    def as_sqlite(self, compiler, connection, **more):  # type: ignore[no-untyped-def]
        return self._with(compiler, "CHAR(10)")

    def as_postgresql(self, compiler, connection, **more):  # type: ignore[no-untyped-def]
        return self._with(compiler, "CHR(10)")

    def _with(self, compiler: Any, line_break: str) -> tuple[str, list[Any]]:
        inner, values = compiler.compile(self.source_expressions[0])
        return f"(LENGTH({inner}) - LENGTH(REPLACE({inner}, {line_break}, '')))", [*values, *values]
