"""A second place for the checkpoints: a folder that another account, machine or service owns, where files only appear.

Nothing is ever replaced or taken away there. What travels on from it is best fetched by its owner: whatever this
machine could push with could also be used by whoever owns this machine.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from policy.audit import keys
from policy.errors import AuditError
from policy.key_files import write_once


def catch_up(folder: Path) -> int:
    """Put there what it lacks, the public key first. How many files; refuses where it holds another log's."""
    target = Path(settings.AUDIT_COPY_DIR) if settings.AUDIT_COPY_DIR else None
    files = sorted(folder.glob("*.json"))
    if target is None or not files:
        return 0
    try:
        if _holds(target / files[-1].name, files[-1]):
            return 0
        return sum(_put(file, target / file.name) for file in (keys.public_key_file(), *files))
    except OSError as error:
        raise AuditError(f"Checkpoints can't be copied to {target}: {error.strerror}.") from None


def _holds(copy: Path, file: Path) -> bool:
    return copy.exists() and copy.read_bytes() == file.read_bytes()


def _put(file: Path, copy: Path) -> bool:
    content = file.read_bytes()
    if write_once(copy, content, mode=0o444):
        return True
    if copy.read_bytes() != content:
        raise AuditError(f"{copy} belongs to another log; name an empty folder in CCDASH_AUDIT_COPY_DIR.")
    return False
