"""An inherited lock is released when the last process that holds it has ended."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from pathlib import Path

from lmc_utils.running import inherited_lock, watchdog

HOLDER = """
import pathlib, sys, time
from lmc_utils.running import inherited_lock, watchdog
with inherited_lock.hold_until_children_end(pathlib.Path("lock")):
    process = watchdog.start(["sh", "-c", "while true; do date +%s.%N > last; done"])
    time.sleep(600)
"""


def is_free(path: Path) -> bool:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_a_lock_is_released_after_its_block(tmp_path: Path) -> None:
    with inherited_lock.hold_until_children_end(tmp_path / "lock"):
        assert not is_free(tmp_path / "lock")
    assert is_free(tmp_path / "lock")


def test_child_processes_keep_the_lock(tmp_path: Path) -> None:
    with inherited_lock.hold_until_children_end(tmp_path / "lock"):
        process = watchdog.start(["sleep", "600"])
    assert not is_free(tmp_path / "lock")
    watchdog.end([process])
    assert is_free(tmp_path / "lock")


def test_children_of_a_killed_process_cannot_write_after_the_lock_is_free(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "last").exists():
        assert time.monotonic() < deadline, "it did not start"
        time.sleep(0.02)
    holder.kill()
    holder.wait()
    with inherited_lock.hold_until_children_end(tmp_path / "lock"):
        before = (tmp_path / "last").read_bytes()
        time.sleep(0.3)
        assert (tmp_path / "last").read_bytes() == before
