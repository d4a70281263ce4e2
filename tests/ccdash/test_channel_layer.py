"""The doorbell through PostgreSQL leaves nothing behind when its listener goes."""

from __future__ import annotations

import asyncio

import pytest
from django.conf import settings
from django.db import connection

if not settings.ON_POSTGRESQL:
    pytest.skip("SQLite's doorbell is in memory", allow_module_level=True)
pytestmark = pytest.mark.django_db(transaction=True)


def test_a_channel_that_left_its_group_is_rung_no_more() -> None:
    from channels_postgres.models import GroupChannel

    from ccdash.channel_layer import DatabaseChannelLayer

    config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    name = connection.settings_dict["NAME"]  # the settings were read before the test's own database was there

    async def come_and_go() -> tuple[int, int]:
        layer = DatabaseChannelLayer(**{**config, "NAME": name})
        channel = await layer.new_channel()
        await layer.group_add("run.x", channel)
        there = await GroupChannel.objects.acount()
        await layer.group_discard("run.x", channel)
        left = await GroupChannel.objects.acount()
        await (await layer.django_db.get_db_pool(layer.db_params)).close()
        return there, left

    assert asyncio.run(come_and_go()) == (1, 0)
