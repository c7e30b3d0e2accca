"""Put a folder in the place of another, so that there is a whole one at every moment."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux; RENAME_SWAP of macOS is 2 as well


def replace(place: Path, fresh: Path, aside: Path) -> None:
    """Put a folder in its place, and remove what was there.

    Linux and macOS do it in one step. Elsewhere, and on file systems that cannot, it takes two, and who is killed
    between them leaves the old folder `aside`, for `restore`.

    Args:
        place: where the folder belongs.
        fresh: the new one, on the same file system.
        aside: for the old one, for a moment.
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
    """Undo what a `replace` that was killed has begun: the folder is in its place, and there is no other."""
    if aside.exists() and not place.exists():
        aside.rename(place)
    for folder in (fresh, aside):
        shutil.rmtree(folder, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Whether the system has exchanged two folders."""
    names = os.fsencode(one), os.fsencode(other)
    try:
        system = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(system.renamex_np(*names, _EXCHANGE) == 0)
        return bool(system.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0)
    except (AttributeError, OSError, TypeError):  # it has no such function
        return False
