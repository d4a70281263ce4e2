"""Throws away the folders of work that is over, on a thread of its own: removing names may wait for the disk.

What is lost when the process ends is left lying, as it would be without this.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from pathlib import Path

from orchestration import removal

logger = logging.getLogger(__name__)
_folders: queue.SimpleQueue[Path] = queue.SimpleQueue()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def throw_away(folder: Path) -> None:
    if os.path.lexists(folder):
        _folders.put(folder)
        _keep_thread()


def _keep_thread() -> None:
    global _thread  # noqa: PLW0603 - one for the process
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_work, name="leftovers", daemon=True)
            _thread.start()


def _work() -> None:
    while True:
        folder = _folders.get()
        try:
            removal.remove(folder)
        except OSError as error:
            # Left lying; the next folder is no worse for it.
            logger.warning("%s could not be removed: %s", folder, error.strerror)
