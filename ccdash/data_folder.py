"""The data folder: private to the account that runs the product, and the home of the generated secret key."""

import os
import secrets
from pathlib import Path

from ccdash.env import BadSetting

KEY_FILE = "secret_key"
DATABASE_FILE = "ccdash.sqlite3"


def prepare(path: Path) -> Path:
    """Make the folder, or say in a sentence why it can't be used. A folder that is ours is closed to others."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077 and _is_ours(path):
            path.chmod(0o700)
        writable = os.access(path, os.R_OK | os.W_OK | os.X_OK)
    except FileExistsError:
        raise BadSetting(_unusable(path, "it is no folder")) from None
    except OSError as error:
        raise BadSetting(_unusable(path, error.strerror or "it can't be made")) from None
    if not writable:
        raise BadSetting(_unusable(path, "it is not writable"))
    return path.resolve()


def secret_key(data_dir: Path) -> str:
    """The key of this installation, made once. Two first starts at the same moment agree on one."""
    file = data_dir / KEY_FILE
    try:
        if not file.exists():
            _create(file, secrets.token_urlsafe(64))
        return file.read_text().strip()
    except OSError as error:
        raise BadSetting(f"The secret key {file} can't be used: {error.strerror}. Mend it or delete it.") from None


def keep_private(file: Path) -> None:
    """Create the database file so that only we may read it, before the library does with the ordinary rights."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        file.chmod(0o600)
    except OSError as error:
        raise BadSetting(f"The database file {file} can't be used: {error.strerror}. Mend that or move it.") from None


def _create(file: Path, content: str) -> None:
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(draft, file)
    except FileExistsError:
        pass  # another start was first; its key is the key
    finally:
        draft.unlink()


def _is_ours(path: Path) -> bool:
    names = {entry.name for entry in path.iterdir()}
    return not names or bool(names & {KEY_FILE, DATABASE_FILE})


def _unusable(path: Path, why: str) -> str:
    return f"CCDASH_DATA_DIR={path} can't be used as the data folder: {why[0].lower()}{why[1:]}. Choose another."
