"""Checks of memory and disk space before some work starts."""

from __future__ import annotations

import logging
import math
import shutil
from contextlib import suppress
from pathlib import Path

import psutil

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")
_GROUP = Path("/sys/fs/cgroup")  # on Linux, what a container may take


def shortage(what: str, *, memory: float = 0, disk: float = 0, folder: Path = Path()) -> str | None:
    """Describe which memory or disk space some work lacks, as one line; None where it fits.

    Where it takes more than half of what is free, a warning is logged, and on it goes.

    Args:
        what: the parameters that say how large it is, and its size in words.
        memory: bytes that it takes at least, at one time.
        disk: bytes that it writes.
        folder: where it writes; it need not exist yet.

    >>> shortage("n_points", memory=8 * 401)
    >>> shortage("n_points", memory=1e30)
    'n_points: not enough memory: 1e+12 EB needed, ... free'
    """
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    places = [
        (memory, free_memory, "memory"),
        (disk, lambda: shutil.disk_usage(existing).free, f"disk space for '{folder}'"),
    ]
    for need, measure, place in places:
        free = measure() if need else 0
        sizes = f"{format_bytes(need)} needed, {format_bytes(free)} free"
        if need > free:
            return f"{what}: not enough {place}: {sizes}"
        if need > free / 2:
            logging.getLogger(__name__).warning(f"{what}: this takes more than half of the free {place}: {sizes}")
    return None


def free_memory() -> int:
    """Bytes of memory that a process can still have, also within a container."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # no such bound: "max", or no such file
        within = int((_GROUP / "memory.max").read_text()) - int((_GROUP / "memory.current").read_text())
        counts = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        free = min(free, within + int(counts.get("inactive_file", 0)))  # the last: copies of files, given up on demand
    return max(0, free)


def format_bytes(size: float) -> str:
    """A number of bytes in a decimal unit.

    >>> format_bytes(512), format_bytes(1.25e9)
    ('512 bytes', '1.25 GB')
    """
    if size < 1000:
        return f"{size:.0f} bytes"
    step = min(int(math.log10(size) / 3), len(_UNITS))
    return f"{size / 1000**step:.3g} {_UNITS[step - 1]}"
