"""Combinations of settings that make no sense, each said in a sentence.

What is wrong in one variable alone is refused by `ccdash/env.py`; here are those that only clash together.
"""

import os
import shutil
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from ccdash import database


@register(Tags.security)
def settings_agree(**_: Any) -> list[CheckMessage]:
    several_processes = not settings.EMBEDDED and settings.DISPATCH != "inline"
    clashes = [
        (
            settings.DISPATCH == "distributed" and not settings.ON_POSTGRESQL,
            Error("CCDASH_DISPATCH=distributed needs PostgreSQL: set DATABASE_URL too.", id="ccdash.E001"),
        ),
        (
            several_processes and not settings.ON_POSTGRESQL,
            Error("CCDASH_EMBEDDED=0 needs PostgreSQL: set DATABASE_URL, SQLite serves one process.", id="ccdash.E002"),
        ),
        (
            settings.SANDBOX == "bubblewrap" and not shutil.which("bwrap"),
            Error("CCDASH_SANDBOX=bubblewrap needs bwrap, which is not here: install bubblewrap.", id="ccdash.E003"),
        ),
        (
            bool(settings.AUDIT_COPY_DIR) and not os.access(settings.AUDIT_COPY_DIR, os.W_OK | os.X_OK),
            Error("CCDASH_AUDIT_COPY_DIR is no folder that can be written: make it, or unset it.", id="ccdash.E004"),
        ),
        (
            bool(settings.AUDIT_WEBHOOK_TOKEN) and not settings.AUDIT_WEBHOOK,
            Error("CCDASH_AUDIT_WEBHOOK_TOKEN goes nowhere: set CCDASH_AUDIT_WEBHOOK, too.", id="ccdash.E005"),
        ),
    ]
    return [error for clash, error in clashes if clash]


@register(Tags.database)
def database_is_durable(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Read back on a live connection what the database really does with a commit."""
    return [
        Error(f"The database would not keep its promises: {phrase}.", id="ccdash.E010")
        for alias in databases or ()
        for phrase in database.unexpected_values(connections[alias])
    ]
