"""Writes a file once: a key or a signed statement, whole or not at all, never over another."""

from __future__ import annotations

import os
from pathlib import Path


def write_once(file: Path, content: bytes, *, mode: int) -> bool:
    """Whole or not at all, and never over another file. False: somebody else was first."""
    draft = file.with_name(f".{file.name}.{os.urandom(4).hex()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(draft, file)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _sync(file.parent)
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
