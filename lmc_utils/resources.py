"""Check memory and disk space before work starts."""

from __future__ import annotations

import logging
import math
import shutil
from contextlib import suppress
from pathlib import Path

import psutil

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")
_GROUP = Path("/sys/fs/cgroup")  # on Linux, limits of containers


def shortage(what: str, *, memory: float = 0, disk: float = 0, folder: Path = Path()) -> str | None:
    """Describe a shortage of memory or disk space for some work in one line; None if both suffice.

    If the work needs more than half of the free memory or disk space, a warning is logged.

    Args:
        what: the parameters that determine the size of the work, and its size in words.
        memory: lower bound of its peak memory in bytes.
        disk: bytes to be written.
        folder: the folder to write to; it need not exist yet.

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
    """Bytes of memory available to a process, also within a container."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # no limit: "max", or no such file
        within = int((_GROUP / "memory.max").read_text()) - int((_GROUP / "memory.current").read_text())
        counts = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        free = min(free, within + int(counts.get("inactive_file", 0)))  # cached files are released on demand
    return max(0, free)


def format_bytes(size: float) -> str:
    """Format a number of bytes in a decimal unit.

    >>> format_bytes(512), format_bytes(1.25e9)
    ('512 bytes', '1.25 GB')
    """
    if size < 1000:
        return f"{size:.0f} bytes"
    step = min(int(math.log10(size) / 3), len(_UNITS))
    return f"{size / 1000**step:.3g} {_UNITS[step - 1]}"
