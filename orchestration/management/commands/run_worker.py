"""A worker process: starts ready steps, follows them, takes up what others left. As many as the machines carry."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from orchestration import dispatch
from orchestration.pool import Pool


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Run a worker process until it is told to stop (Ctrl-C or TERM). Commands live on and are taken up again. "
        "Example: CCDASH_WORKERS=4 manage.py run_worker"
    )

    def handle(self, *args: Any, **options: Any) -> None:
        told = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: told.set())
        pool = Pool(settings.WORKERS)
        dispatch.clear()
        pool.start()
        if settings.DISPATCH == "distributed":
            from orchestration.distributed import listen

            listen(pool)
        self.stdout.write(f"Worker {pool.owner.split('|')[1]} does up to {settings.WORKERS} steps at once.")
        self.stdout.flush()
        told.wait()
        pool.stop()
        self.stdout.write("The worker has stopped.")
