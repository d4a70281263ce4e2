"""Removes a folder and all that is in it, as whoever made it may have left it: as deep as no path can name, closed to
everybody, full of links. Standard library alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove(path: Path) -> None:
    """Nothing there is fine. Folders are lifted to the top one by one: no depth needs a stack or a long name."""
    try:
        is_folder = stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_folder:
        path.unlink()
        return
    path.chmod(0o700)
    top = os.open(path, FOLDER)
    try:
        _empty(top)
    finally:
        os.close(top)
    path.rmdir()


def _empty(top: int) -> None:
    # Names that nobody who filled the folder could know.
    names = (os.urandom(8).hex() for _ in count())
    waiting = _clear(top, top, names)
    while waiting:
        name = waiting.pop()
        folder = os.open(name, FOLDER, dir_fd=top)
        try:
            waiting += _clear(folder, top, names)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=top)


def _clear(folder: int, top: int, numbers: Iterator[str]) -> list[str]:
    """Unlink what is no folder; open up the folders that are in it, and lift them to the top."""
    lifted = []
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
            continue
        os.chmod(name, 0o700, dir_fd=folder)
        lifted.append(next(numbers))
        os.rename(name, lifted[-1], src_dir_fd=folder, dst_dir_fd=top)
    return lifted
