"""Replace a folder by another one, so that a complete one exists at any moment."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux; RENAME_SWAP of macOS is 2 as well


def replace(place: Path, fresh: Path, aside: Path) -> None:
    """Move a folder to its place, and remove the one that was there.

    On Linux and macOS this is atomic. Elsewhere, and on file systems without support, it takes two steps; a process
    killed between them leaves the old folder `aside`, for `restore`.

    Args:
        place: the path to replace.
        fresh: the new folder, on the same file system.
        aside: temporary path of the old folder.
    """
    if not place.exists():
        fresh.rename(place)
    elif _exchange(place, fresh):
        shutil.rmtree(fresh)
    else:
        place.rename(aside)
        fresh.rename(place)
        shutil.rmtree(aside)


def restore(place: Path, fresh: Path, aside: Path) -> None:
    """Undo a `replace` that was killed: the old folder is back in its place, and temporary ones are removed."""
    if aside.exists() and not place.exists():
        aside.rename(place)
    for folder in (fresh, aside):
        shutil.rmtree(folder, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders atomically; return whether that is possible."""
    names = os.fsencode(one), os.fsencode(other)
    try:
        system = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(system.renamex_np(*names, _EXCHANGE) == 0)
        return bool(system.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0)
    except (AttributeError, OSError, TypeError):  # the system has no such function
        return False
