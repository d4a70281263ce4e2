"""The doorbell through PostgreSQL, on the database that we have."""

from typing import Any

from channels_postgres.core import PostgresChannelLayer
from django.db import DEFAULT_DB_ALIAS


class DatabaseChannelLayer(PostgresChannelLayer):  # type: ignore[misc]
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # It leaves a group through a database that it expects under its own name; where there is none, channels that
        # nobody reads any more would stay, and each ring would write a message for them.
        self.django_db.using = DEFAULT_DB_ALIAS
