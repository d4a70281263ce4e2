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
COME_AND_GO = """
import asyncio, django
django.setup()
from channels.layers import get_channel_layer
from channels_postgres.models import GroupChannel
from django.core.management import call_command

async def come_and_go():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("run.x", channel)
    print(await GroupChannel.objects.acount())
    await layer.group_discard("run.x", channel)
    print(await GroupChannel.objects.acount())

call_command("migrate", "channels_postgres", verbosity=0, skip_checks=True)
asyncio.run(come_and_go())
"""


def test_a_channel_that_left_its_group_is_rung_no_more(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CCDASH_")},
        "CCDASH_DATA_DIR": str(tmp_path),
        "DATABASE_URL": new_database(),
        "DJANGO_SETTINGS_MODULE": "ccdash.settings",
        "REDIS_URL": "",
    }
    command = [sys.executable, "-c", COME_AND_GO]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "0"], done.stderr
