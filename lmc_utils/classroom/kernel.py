"""The kernel of a submission: behind the wall where there is one, bounded, and heard only through its messages.

Whatever comes from it is data: messages that are too large are not taken, and of its outputs only so much is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import zmq
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode

from lmc_utils import resources
from lmc_utils.classroom import assignments

_LARGEST = 16 * 2**20  # bytes of a message
_KEPT = 2 * 2**20  # characters of all outputs
_QUOTED = 2000  # characters of an error
_SPARE = 256 * 2**20  # bytes of memory that are to be left on the machine
_PROCESSES, _THREADS = 200, 2000
_EVERY = 0.1  # seconds between two looks at what it takes
# `exit()` leaves a notebook, and would leave the cells behind it without marks.
_STAYING = "--IPKernelApp.exec_lines=get_ipython().ask_exit = lambda: None"
_ARGUMENTS = ["-f", "{connection_file}", "--IPKernelApp.log_level=50", _STAYING]


def bounded_executor(
    around: Sequence[str], messages: Path, seconds: Callable[[NotebookNode], int], over: str, begun: list[int]
) -> Any:
    """nbgrader's `Execute`, whose kernel is started with some words before its own.

    Args:
        around: those words.
        messages: a new folder through which the kernel is heard; one that was there before may hold links to anywhere.
        seconds: that a cell may take.
        over: what is said of one that takes longer.
        begun: gets the position of each cell that is begun.
    """
    from nbgrader.preprocessors import Execute

    class Manager(AsyncKernelManager):
        """Starts the kernel there, and asks it by message to stop a cell: a signal would end what is around it."""

        def __init__(self, **traits: Any) -> None:
            transport = "ipc" if os.name == "posix" else "tcp"
            super().__init__(**traits, transport=transport, connection_file=str(messages / "k.json"))
            self.context.setsockopt(zmq.MAXMSGSIZE, _LARGEST)

        def client(self, **options: Any) -> Any:
            return super().client(**{"context": self.context, **options})

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await super()._async_start_kernel(**options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        @property
        def kernel_spec(self) -> KernelSpec:
            argv = [*around, sys.executable, "-m", "ipykernel_launcher", *_ARGUMENTS]
            return KernelSpec(argv=argv, display_name="Python 3", language="python", interrupt_mode="message")

    class Bounded(Execute):  # type: ignore[misc]
        """Keeps no more than so much of what a notebook says."""

        said = 0

        def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
            content = msg["content"]
            if msg["msg_type"] == "error":  # what a remark may quote of it is short, too
                content["evalue"], content["traceback"] = str(content["evalue"])[:_QUOTED], []
            elif msg["msg_type"] not in ("status", "execute_input"):
                self.said += len(str(content))
                if self.said > _KEPT:
                    return None
            output: NotebookNode | None = super().process_message(msg, cell, cell_index)
            return output

    return Bounded(
        log=assignments.silent_logger(),
        kernel_name="python3",
        kernel_manager_class=Manager,
        timeout_func=seconds,
        error_on_timeout={"ename": "CellTimeoutError", "evalue": over, "traceback": [f"CellTimeoutError: {over}"]},
        on_cell_start=lambda cell, cell_index: begun.append(cell_index),
    )


@contextmanager
def resource_watchdog(memory: int) -> Iterator[None]:
    """End all processes below this one that together take more than so many MiB, and those that are left at the end."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(_EVERY):
            family = psutil.Process().children(recursive=True)
            memory_taken, threads = _taken(family)
            takes_too_much = len(family) > _PROCESSES or threads > _THREADS or memory_taken > memory * 2**20
            if takes_too_much or resources.free_memory() < _SPARE:  # the second, of what belongs to no process
                _end(family)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        while family := psutil.Process().children(recursive=True):
            _end(family)


def _taken(family: Sequence[psutil.Process]) -> tuple[int, int]:
    """Bytes of memory that processes take, where what they share counts for each, and their threads."""
    memory, threads = 0, 0
    for process in family:
        with suppress(psutil.Error), process.oneshot():
            memory, threads = memory + process.memory_info().rss, threads + process.num_threads()
    return memory, threads


def _end(family: Sequence[psutil.Process]) -> None:
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(list(family), timeout=1)
