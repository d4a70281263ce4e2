"""Reads the environment loudly: a wrong value stops the start with one sentence.

Settings alone call this, once for each variable. An empty variable counts as not set. A message shows the bad
value, except where it may hold a secret.
"""

import ipaddress
import os
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
HOST_NAME = re.compile(r"\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
SCP_ADDRESS = re.compile(r"[A-Za-z0-9_][\w.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?!:).+")
REMOTE_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*|[0-9a-f:.]+")


class BadSetting(Exception):
    """What the environment asks for can't be had. The text is a sentence for whoever starts the product."""


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value not in TRUE | FALSE:
        raise BadSetting(f"{name}={shown(value)} is neither yes nor no: set it to 1 or 0.")
    return value in TRUE


def integer(name: str, *, default: int, low: int, high: int) -> int:
    value = text(name)
    if not value:
        return default
    if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
        raise BadSetting(f"{name}={shown(value)} is not a whole number from {low} to {high}: set it to one.")
    return int(value)


def choice(name: str, *, default: str, allowed: Collection[str]) -> str:
    value = text(name, default)
    if value not in allowed:
        raise BadSetting(f"{name}={shown(value)} is unknown: set it to {' or '.join(sorted(allowed))}.")
    return value


def folder(name: str, *, default: Path) -> Path:
    return Path(text(name) or default).expanduser().absolute()


def secret(name: str, *, at_least: int) -> str:
    value = text(name)
    if value and len(value) < at_least:
        raise BadSetting(f"{name} has {len(value)} characters: give it at least {at_least}, all of them random.")
    return value


def host(name: str, *, default: str) -> str:
    value = text(name, default)
    if not (HOST_NAME.fullmatch(value) or re.fullmatch(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*", value)):
        raise BadSetting(f"{name}={shown(value)} is no address to listen on: set it to one such as 127.0.0.1.")
    return value


def host_names(name: str) -> list[str]:
    """Exact host names, `*` refused: with it any web site could pose as ours."""
    names = [part.strip() for part in text(name).split(",") if part.strip()]
    for part in names:
        if not HOST_NAME.fullmatch(part):
            raise BadSetting(f"{name}={shown(part)} is no host name: list the exact names people use, with commas.")
    return names


def url(name: str, *, schemes: Collection[str], example: str) -> str:
    """A checked address, or nothing. It may carry a password, so a message tells no more than its scheme."""
    value = text(name)
    scheme, found, _ = value.partition("://")
    if value and scheme not in schemes:
        beginning = f"{name} begins with {shown(scheme)}" if found else f"{name} is no address"
        raise BadSetting(f"{beginning}: set it to one like {example}.")
    if value and not _is_whole(value):
        raise BadSetting(f"{name} is no complete address: set it to one like {example}.")
    return value


def private_url(name: str, *, example: str) -> str:
    """Where what we send can't be read on the way: https, or http to this machine. It may hold a secret in its path."""
    value = url(name, schemes=("https", "http"), example=example)
    parts = urlsplit(value)
    if value and (not parts.hostname or parts.username is not None or parts.fragment or not _is_plain(value)):
        raise BadSetting(f"{name} is more or less than an address without user and password: set it to {example}.")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise BadSetting(f"{name} is http, which is for this machine alone: set it to one like {example}.")
    return value


def bearer(name: str) -> str:
    """A token for a header, of visible ASCII characters."""
    value = text(name)
    if value and not _is_plain(value):
        raise BadSetting(f"{name} holds characters that no token has: set it to visible ASCII characters alone.")
    return value


def git_remote(name: str, *, example: str) -> str:
    """Where git pushes to: https, ssh, user@host:path, or a folder. Nothing that git would take for a program."""
    value = text(name)
    is_folder = value.startswith("/") and value.isprintable()
    if not value or is_folder or (SCP_ADDRESS.fullmatch(value) and _is_plain(value)):
        return value
    parts = urlsplit(url(name, schemes=("https", "http", "ssh", "file"), example=example))
    if not _is_plain(value) or (parts.scheme != "file" and not REMOTE_HOST.fullmatch(parts.hostname or "")):
        raise BadSetting(f"{name} is no git remote: set it to one like {example}.")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise BadSetting(f"{name} is http, which is for this machine alone: set it to one like {example}.")
    return value


def shown(value: str) -> str:
    """The value as a message may repeat it: short, on one line, in quotes."""
    return repr(value if len(value) <= 60 else value[:57] + "...")


def _is_plain(value: str) -> bool:
    return re.fullmatch(r"[!-~]+", value) is not None


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_whole(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return bool(parts.netloc or parts.path.strip("/")) and parts.port != 0
    except ValueError:
        return False
