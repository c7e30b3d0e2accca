"""Start a command that is killed with its parent, together with all its descendants.

An intermediate process, this file run as a script, watches both. Its standard input is a pipe that only the parent
holds open and nobody writes to: when it closes, the parent is gone, and everything is killed. When the command ends by
itself, its remaining descendants are killed and its exit status is passed on. Descendants are found by parent process,
and by a mark in their environment, which survives if their parent ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

__all__ = ["start", "end"]

_MARK = "LMC_WATCHED_AS"
_PATIENCE = 5  # seconds that killed processes may take to end


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a command with a watchdog; closing the standard input of the returned process ends both.

    The command has its own process group, session and temporary folder, which is removed at the end. It inherits open
    inheritable files, such as those of `inherited_lock.hold_until_children_end`.

    Args:
        command: program and arguments; its standard input is empty.
        options: arguments of `subprocess.Popen`.

    >>> with start(["sleep", "60"]) as process:
    ...     process.poll() is None
    True
    >>> process.returncode == -signal.SIGKILL
    True
    """
    if os.name != "posix":  # there are no process groups: descendants of a killed process remain
        return subprocess.Popen(command, stdin=subprocess.PIPE, **options)
    import psutil

    # Python starts in half the time without site packages; psutil is needed only to kill processes.
    packages = os.path.dirname(os.path.dirname(psutil.__file__))
    watched = [sys.executable, "-I", "-S", __file__, packages, *command]
    return subprocess.Popen(watched, stdin=subprocess.PIPE, start_new_session=True, close_fds=False, **options)


def end(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Kill the rest of commands started with a watchdog, and wait until all have ended."""
    for process in processes:
        if process.stdin:
            process.stdin.close()
        if os.name != "posix":
            process.kill()
    for process in processes:
        process.wait()


def main(packages: str, *command: str) -> None:
    """Run a command, watch it until all its processes have ended, and exit with its status."""
    sys.path.append(packages)
    mark = os.urandom(8).hex()
    within = os.environ.get("TMPDIR", "")
    folder = os.path.join(within if os.access(within, os.W_OK) else "/tmp", f"lmc-{mark}")
    environment = os.environ | {_MARK: mark, "TMPDIR": folder}
    no_input = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    os.mkdir(folder, mode=0o700)
    _adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: None)  # left to the command, which receives it as well
    try:
        child = os.posix_spawnp(command[0], command, environment, file_actions=[no_input])
    except OSError as error:
        import shutil

        os.rmdir(folder)
        # A missing command gives "permission denied" if PATH contains an unreadable folder.
        sys.exit(f"lmc: {error}" if shutil.which(command[0]) else f"lmc: no such command: {command[0]}")
    threading.Thread(target=_end_with_parent, args=[mark], daemon=True).start()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _end_all(mark)
    _remove(folder)
    if status < 0:  # by a signal
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _adopt_orphans() -> None:
    """On Linux, become the parent of orphaned descendants."""
    import ctypes

    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _end_with_parent(mark: str) -> None:
    os.read(0, 1)
    _end_all(mark)


def _end_all(mark: str) -> None:
    """Kill all remaining processes; stop them first, as a running one could start others meanwhile."""
    import psutil

    def left() -> set[psutil.Process]:
        marked = [each for each in psutil.process_iter() if (_try(each.environ) or {}).get(_MARK) == mark]
        return {*psutil.Process().children(recursive=True), *marked}

    found: set[psutil.Process] = set()
    while fresh := left() - found:
        found |= fresh
        for process in fresh:
            _try(process.suspend)
    for process in found:
        _try(process.kill)
    deadline = time.monotonic() + _PATIENCE
    while any(_try(process.status) not in (None, psutil.STATUS_ZOMBIE) for process in found):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)


def _try(ask: Callable[[], Any]) -> Any:
    """Query a process; None if it has ended or is not ours."""
    import psutil

    try:
        return ask()
    except (psutil.Error, OSError):
        return None


def _remove(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
