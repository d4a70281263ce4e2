"""The doorbell through PostgreSQL leaves nothing behind when its listener goes. In a process without a Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recovery.world import new_database

pytestmark = pytest.mark.postgres_only
ROOT = Path(__file__).resolve().parents[2]
BEGIN = """
import asyncio, django
django.setup()
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels_postgres.core import ASYNCIO_EVENT_CHANNEL_MAPPING
from channels_postgres.models import GroupChannel
from django.core.management import call_command
from django.db import connection
from workbench.feeds import Feed

call_command("migrate", "channels_postgres", verbosity=0, skip_checks=True)
"""
COME_AND_GO = """
async def come_and_go():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("run.x", channel)
    print(await GroupChannel.objects.acount())
    await layer.group_discard("run.x", channel)
    print(await GroupChannel.objects.acount())

asyncio.run(come_and_go())
"""
LEAVE_EARLY = """
def locks():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        return cursor.fetchone()[0]

async def leave_early():
    for number in range(30):
        listener = asyncio.create_task(Feed("x")._listen())
        await asyncio.sleep(number * 0.001)
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    print(await GroupChannel.objects.acount(), await sync_to_async(locks)(), len(ASYNCIO_EVENT_CHANNEL_MAPPING))

asyncio.run(leave_early())
"""


def test_a_channel_that_left_its_group_is_rung_no_more(tmp_path: Path) -> None:
    assert _said(tmp_path, COME_AND_GO) == ["1", "0"]


def test_pages_that_are_closed_at_any_moment_leave_no_member_lock_or_queue(tmp_path: Path) -> None:
    assert _said(tmp_path, LEAVE_EARLY) == ["0", "0", "0"]


def _said(tmp_path: Path, story: str) -> list[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CCDASH_")},
        "CCDASH_DATA_DIR": str(tmp_path),
        "DATABASE_URL": new_database(),
        "DJANGO_SETTINGS_MODULE": "ccdash.settings",
        "REDIS_URL": "",
    }
    command = [sys.executable, "-c", BEGIN + story]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
