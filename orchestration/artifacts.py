"""The bytes that steps left, by their hash: put once, never changed, opened only when they still match.

A folder and nothing else; which artifact belongs to what is the database's to know.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 1024 * 1024
SHA256 = re.compile(r"[0-9a-f]{64}")


class ArtifactMissing(Exception):
    """The bytes of this artifact are not in the store."""


class ArtifactDamaged(Exception):
    """The bytes of this artifact are not what was stored."""


@dataclass(frozen=True)
class Stored:
    sha256: str
    size: int


@dataclass(frozen=True)
class ArtifactStore:
    root: Path

    def put(self, data: bytes) -> Stored:
        with self._part().open("xb") as part:
            part.write(data)
        return self.adopt(Path(part.name))

    def put_file(self, path: Path) -> Stored:
        """A copy, for a file that stays where it is. It must be a private one: nobody may be writing it."""
        with path.open("rb") as source, self._part().open("xb") as part:
            for chunk in _chunks(source):
                part.write(chunk)
        return self.adopt(Path(part.name))

    def adopt(self, path: Path) -> Stored:
        """The file itself becomes the artifact, where it is on the same file system; durable before it returns."""
        stored = digest_file(path)
        target = self.path(stored.sha256)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._holds(stored):
            path.unlink()
            return stored
        try:
            self._move(path, target)
        except OSError as error:
            return self._move_across(path, error)
        return stored

    def open(self, sha256: str) -> BinaryIO:
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError as error:
            raise ArtifactMissing(f"The artifact {sha256[:12]} is not in the store.") from error

    def read(self, sha256: str, limit: int) -> bytes:
        with self.open(sha256) as file:
            return file.read(limit)

    def verify(self, sha256: str, size: int) -> None:
        with self.open(sha256) as file:
            found = _digest(file)
        if found != Stored(sha256, size):
            raise ArtifactDamaged(
                f"The artifact {sha256[:12]} is not what was stored: {found.size} bytes, {found.sha256[:12]}."
            )

    def path(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise ArtifactMissing("That is no SHA-256.")
        return self.root / sha256[:2] / sha256

    def _holds(self, stored: Stored) -> bool:
        """A copy that a crash left damaged is replaced, not trusted."""
        path = self.path(stored.sha256)
        return path.is_file() and path.stat().st_size == stored.size and digest_file(path) == stored

    def _part(self) -> Path:
        folder = self.root / "incoming"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / uuid.uuid4().hex

    def _move(self, path: Path, target: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fchmod(descriptor, 0o400)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.replace(target)
        _sync_folder(target.parent)

    def _move_across(self, path: Path, error: OSError) -> Stored:
        if path.parent == self.root / "incoming":
            raise error
        stored = self.put_file(path)
        path.unlink()
        return stored


def digest_file(path: Path) -> Stored:
    with path.open("rb") as file:
        return _digest(file)


def _digest(file: BinaryIO) -> Stored:
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(file):
        digest.update(chunk)
        size += len(chunk)
    return Stored(digest.hexdigest(), size)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
