"""A lock that what was started holds on to, also when whoever took it was killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def until_all_ended(path: Path) -> Iterator[None]:
    """Hold a lock until this block has ended, and all commands that `watchdog.start` started within it.

    It waits for the commands of a block before, which end soon after their parent. So it does not tell two blocks at
    work from each other: that takes a lock of another kind, which ends with its process.

    Args:
        path: the file of the lock; it stays.
    """
    if os.name != "posix":  # no such locks there, nor a watchdog
        yield
        return
    import fcntl

    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.set_inheritable(file.fileno(), True)
        yield
