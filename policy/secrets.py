"""Keeps values that steps get by name, encrypted with a key outside the database.

Pages and answers show names only; `reveal` is for the worker that starts a step. Each ciphertext is bound to its
place, so that rows swapped in the database do not hand one project's secret to another.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from policy import access, audit, redaction
from policy.actors import Actor
from policy.errors import Invalid, SecretMissing, SecretUnreadable
from policy.key_files import write_once
from policy.models import Project, Secret
from policy.models.access import SECRET_NAME

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

OWN_FILE = "secrets-key"
LONGEST = 64 * 1024


def set_secret(project: Project, name: str, value: str, by: Actor) -> Secret:
    """Store or replace a value. What it was and what it is stays out of the log."""
    access.require(by, access.Permission.MANAGE, project)
    _check(name, value)
    with transaction.atomic():
        secret, is_new = Secret.objects.update_or_create(
            project=project,
            name=name,
            defaults={"ciphertext": encrypt(value, context=_place(project, name)), "updated_by_id": by.user_id},
        )
        audit.append(
            "secret.created" if is_new else "secret.replaced",
            actor=by,
            project=project.slug,
            subject=f"secret:{project.pk}:{name}",
            after={"name": name},
        )
    return secret


def remove_secret(project: Project, name: str, by: Actor) -> None:
    access.require(by, access.Permission.MANAGE, project)
    with transaction.atomic():
        removed, _ = Secret.objects.filter(project=project, name=name).delete()
        if not removed:
            raise SecretMissing(f"This project has no secret {name}.", names=[name])
        audit.append(
            "secret.removed",
            actor=by,
            project=project.slug,
            subject=f"secret:{project.pk}:{name}",
            before={"name": name},
        )


def weakness(value: str) -> str:
    """A sentence about a value that can't be kept out of logs, or nothing."""
    if redaction.is_found(value):
        return ""
    return f"A value shorter than {redaction.SHORTEST} characters is not redacted from logs; use a longer one."


def reveal(project: Project, names: Collection[str]) -> dict[str, str]:
    """The values by name, for the worker alone. Raises SecretMissing with the names that are not there."""
    stored = dict(Secret.objects.filter(project=project, name__in=names).values_list("name", "ciphertext"))
    if missing := sorted(set(names) - set(stored)):
        raise SecretMissing(f"This project has no secret {', '.join(missing)}.", names=missing)
    return {name: decrypt(bytes(stored[name]), context=_place(project, name)) for name in names}


def reveal_all(project: Project) -> dict[str, str]:
    """Every value of the project, for redaction. What can't be decrypted can't be printed either: it is left out."""
    values = {}
    for name, ciphertext in Secret.objects.filter(project=project).values_list("name", "ciphertext"):
        try:
            values[name] = decrypt(bytes(ciphertext), context=_place(project, name))
        except SecretUnreadable:
            continue
    return values


def encrypt(value: str, *, context: str = "") -> bytes:
    """`context` says where the value belongs; it must be the same to decrypt."""
    return _cipher().encrypt(f"{context}\0{value}".encode())


def decrypt(ciphertext: bytes, *, context: str = "") -> str:
    from cryptography.fernet import InvalidToken

    try:
        found, _, value = _cipher().decrypt(bytes(ciphertext)).decode().partition("\0")
    except (InvalidToken, UnicodeDecodeError):
        raise SecretUnreadable from None
    if found != context:
        raise SecretUnreadable("A stored secret belongs to another place than where it was found.")
    return value


def renew(ciphertext: bytes) -> bytes:
    """The same value under the newest key, after a key was put in front."""
    from cryptography.fernet import InvalidToken

    try:
        return _cipher().rotate(bytes(ciphertext))
    except InvalidToken:
        raise SecretUnreadable from None


def _cipher() -> MultiFernet:
    """The first key encrypts, all of them decrypt."""
    from cryptography.fernet import Fernet, MultiFernet

    keys = (settings.SECRETS_KEY or _own_key()).replace(",", " ").split()
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise SecretUnreadable(
            "The key of the secrets is not usable: it must be 32 bytes in URL-safe base64."
        ) from None


def _own_key() -> str:
    from cryptography.fernet import Fernet

    file = Path(settings.DATA_DIR) / OWN_FILE
    if not file.exists():
        if Secret.objects.exists():
            raise SecretUnreadable(f"The key {file} is gone. Put it back from its backup, or set all secrets again.")
        write_once(file, Fernet.generate_key() + b"\n", mode=0o600)
    return file.read_text()


def _check(name: str, value: str) -> None:
    try:
        SECRET_NAME(name)
    except ValidationError as error:
        raise Invalid(f"{name[:80]!r} can't name a secret. {error.messages[0]}", field="name") from None
    if not value:
        raise Invalid("A secret needs a value.", field="value")
    if "\0" in value or len(os.fsencode(value)) > LONGEST:
        raise Invalid(f"A secret has at most {LONGEST} bytes and no NUL character.", field="value")


def _place(project: Project, name: str) -> str:
    return f"secret:{project.pk}:{name}"
