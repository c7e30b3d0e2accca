"""A file lock that child processes inherit, so that it is held until they end, even if their parent is killed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lmc_utils.settings import ParameterError

_PATIENCE = 60  # seconds that processes of a killed command may take to end


@contextmanager
def hold_until_children_end(path: Path) -> Iterator[None]:
    """Hold a lock until this block and all commands started in it by `watchdog.start` have ended.

    It waits for commands left by an earlier block, which end soon after their parent. It does not exclude two
    concurrent blocks: that takes another kind of lock, which ends with its process.

    Args:
        path: the lock file, which is not removed.

    Raises:
        ParameterError: it is held for longer than a minute.
    """
    if os.name != "posix":  # there are no such locks, nor a watchdog
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
