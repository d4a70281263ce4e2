"""The key that signs checkpoints. It lives outside the database; whoever holds both can rewrite the past.

Its place is CCDASH_AUDIT_KEY_FILE, or a file made in the data folder at the first checkpoint. The public half beside it
is what verifiers need: copy it, with the checkpoints, to where the database's owner can't reach.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from policy.errors import AuditError
from policy.key_files import write_once

OWN_FILE = "audit-key"


def private_key_file() -> Path:
    return Path(settings.AUDIT_KEY_FILE or settings.DATA_DIR / OWN_FILE)


def public_key_file() -> Path:
    return Path(settings.DATA_DIR) / f"{OWN_FILE}.pub"


def signer() -> Any:
    """A CryptoSigner; the library takes a quarter of a second to load, so it waits until it is needed."""
    from securesystemslib import signer

    file = private_key_file()
    if not file.exists() and file.parent == Path(settings.DATA_DIR):
        _create(file)
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuditError(f"The audit key {file} can't be used: {_first_line(error)}.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise AuditError(f"The audit key {file} is not an Ed25519 key.")
    _publish(key)
    return signer.CryptoSigner(key)  # type: ignore[attr-defined]


def public_key(file: Path) -> Any:
    from securesystemslib import signer

    try:
        key = serialization.load_pem_public_key(file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise AuditError(f"The public key {file} can't be used: {_first_line(error)}.") from None
    if not isinstance(key, Ed25519PublicKey):
        raise AuditError(f"The public key {file} is not an Ed25519 key.")
    return signer.SSlibKey.from_crypto(key)  # type: ignore[attr-defined]


def _create(file: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_once(file, pem, mode=0o600)


def _publish(key: Ed25519PrivateKey) -> None:
    if not public_key_file().exists():
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        write_once(public_key_file(), pem, mode=0o644)


def _first_line(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).partition("\n")[0].rstrip(".") or type(error).__name__
