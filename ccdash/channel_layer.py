"""The doorbell through PostgreSQL, on the database that we have."""

import asyncio
from typing import Any

from channels_postgres.core import ASYNCIO_EVENT_CHANNEL_MAPPING, PostgresChannelLayer
from django.db import DEFAULT_DB_ALIAS


class DatabaseChannelLayer(PostgresChannelLayer):  # type: ignore[misc]
    """As the library has it, but a channel that left leaves nothing behind: no lock on the server, whose table of them
    is shared by all and small, no queue here, and no task that waits to clear up once more."""

    _clearing: asyncio.Task[None] | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # It leaves a group through a database that it expects under its own name; where there is none, channels that
        # nobody reads any more would stay, and each ring would write a message for them.
        self.django_db.using = DEFAULT_DB_ALIAS

    async def _get_or_create_channel_advisory_lock(self, channel: str) -> bool:
        """Each channel's name is of this process alone: nobody else could read it."""
        self._channel_advisory_locks[channel] = True
        return True

    async def group_discard(self, group: str, channel: str, expire: int | None = None) -> None:
        """A channel is in one group, so that it goes with it."""
        await self.django_db.delete_channel_group(self._group_key(group), channel)
        self._channel_advisory_locks.pop(channel, None)
        ASYNCIO_EVENT_CHANNEL_MAPPING.pop(channel, None)
        if self._clearing is None or self._clearing.done():
            self._clearing = asyncio.create_task(self.django_db.delete_expired_messages(expire))
