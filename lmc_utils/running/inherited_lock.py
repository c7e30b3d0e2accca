"""A file lock that child processes inherit, and hold also when their parent was killed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lmc_utils.settings import ParameterError

_PATIENCE = 60  # seconds that what a killed command has left may take to end


@contextmanager
def hold_until_children_end(path: Path) -> Iterator[None]:
    """Hold a lock until this block has ended, and all commands that `watchdog.start` started within it.

    It waits for the commands of a block before, which end soon after their parent. So it does not tell two blocks at
    work from each other: that takes a lock of another kind, which ends with its process.

    Args:
        path: the file of the lock; it stays.

    Raises:
        ParameterError: it is held for longer than a minute.
    """
    if os.name != "posix":  # no such locks there, nor a watchdog
        yield
        return
    with path.open("ab") as file:
        deadline = time.monotonic() + _PATIENCE
        while not _try_to_lock(file):
            if time.monotonic() > deadline:
                raise ParameterError(f"a previous command has not ended yet; '{path}' is locked")
            time.sleep(0.1)
        os.set_inheritable(file.fileno(), True)
        yield


def _try_to_lock(file: IO[bytes]) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
