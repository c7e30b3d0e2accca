"""The kernel of a submission: in the sandbox where there is one, with bounded resources, messages and outputs.

Everything that it sends is untrusted data: messages that are too large are dropped, and outputs are truncated.
"""

from __future__ import annotations

import ctypes
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
from lmc_utils.classroom.workspace import Limits

MAX_MESSAGE = 16 * 2**20  # bytes
MAX_OUTPUTS = 2 * 2**20  # characters of all outputs
_MAX_ERROR = 2000  # characters
_MAX_VALUE = 10_000  # characters of the value of a cell after too many outputs; it may be the points of a test
_SPARE_MEMORY = 256 * 2**20  # bytes that must stay free on the machine
_MAX_PROCESSES, _MAX_THREADS = 200, 2000
_INTERVAL = 0.1  # seconds between two checks
# `exit()` would end the kernel, and the cells after it would get no marks.
_IGNORE_EXIT = "--IPKernelApp.exec_lines=get_ipython().ask_exit = lambda: None"
_ARGUMENTS = ["--IPKernelApp.log_level=50", _IGNORE_EXIT]


def command(prefix: Sequence[str], connection_file: str) -> list[str]:
    """The command, with a prefix such as that of the sandbox, that starts the kernel of a submission.

    >>> command(["nice"], "k.json")[3:6]
    ['ipykernel_launcher', '-f', 'k.json']
    """
    return [*prefix, sys.executable, "-m", "ipykernel_launcher", "-f", connection_file, *_ARGUMENTS]


def bounded_executor(
    prefix: Sequence[str],
    messages: Path,
    *,
    timeout: Callable[[NotebookNode], int],
    timeout_message: str,
    started: list[int],
) -> Any:
    """nbgrader's `Execute` preprocessor with a bounded kernel, started by a command with a prefix.

    Args:
        prefix: of the command, such as that of the sandbox.
        messages: a new folder for the kernel's sockets; an existing one could contain links to anywhere.
        timeout: seconds that a cell may take.
        timeout_message: the error of a cell that takes longer.
        started: gets the position of each cell when it starts.
    """
    from nbgrader.preprocessors import Execute

    class Manager(AsyncKernelManager):
        """Adds the prefix, and interrupts cells by message: a signal would end the sandbox."""

        def __init__(self, **traits: Any) -> None:
            transport = "ipc" if os.name == "posix" else "tcp"
            super().__init__(**traits, transport=transport, connection_file=str(messages / "k.json"))
            self.context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)

        def client(self, **options: Any) -> Any:
            return super().client(**{"context": self.context, **options})

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await super()._async_start_kernel(**options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        @property
        def kernel_spec(self) -> KernelSpec:
            argv = command(prefix, "{connection_file}")
            return KernelSpec(argv=argv, display_name="Python 3", language="python", interrupt_mode="message")

    class Bounded(Execute):  # type: ignore[misc]
        """Truncates the outputs of a notebook; after that, only errors and one small value of each cell are stored."""

        characters = 0
        cell_with_value = -1

        def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
            content = msg["content"]
            if msg["msg_type"] == "error":  # remarks quote little of it
                content["evalue"], content["traceback"] = str(content["evalue"])[:_MAX_ERROR], []
            elif msg["msg_type"] not in ("status", "execute_input"):
                self.characters += len(str(content))
                value = msg["msg_type"] == "execute_result"
                small = value and len(str(content)) <= _MAX_VALUE and cell_index != self.cell_with_value
                if self.characters > MAX_OUTPUTS and not small:
                    return None
                if value:
                    self.cell_with_value = cell_index
            output: NotebookNode | None = super().process_message(msg, cell, cell_index)
            return output

    return Bounded(
        log=assignments.silent_logger(),
        kernel_name="python3",
        kernel_manager_class=Manager,
        timeout_func=timeout,
        error_on_timeout={
            "ename": "CellTimeoutError",
            "evalue": timeout_message,
            "traceback": [f"CellTimeoutError: {timeout_message}"],
        },
        on_cell_start=lambda cell, cell_index: started.append(cell_index),
    )


def limit_resources(limits: Limits) -> None:
    """Where the system allows, limit memory and file size of each process, and adopt orphaned child processes.

    If memory still runs out, the system kills these processes first.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(ImportError, ValueError, OSError):
        import resource

        for kind, mebibytes in {resource.RLIMIT_DATA: limits.memory, resource.RLIMIT_FSIZE: limits.disk}.items():
            resource.setrlimit(kind, (mebibytes * 2**20, mebibytes * 2**20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


@contextmanager
def resource_watchdog(memory: int) -> Iterator[None]:
    """Kill all child processes if together they exceed this many MiB, and those that remain at the end."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_INTERVAL):
            children = psutil.Process().children(recursive=True)
            used, threads = _usage(children)
            exceeded = len(children) > _MAX_PROCESSES or threads > _MAX_THREADS or used > memory * 2**20
            if exceeded or resources.free_memory() < _SPARE_MEMORY:  # the latter also for memory of no process
                _kill(children)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        while children := psutil.Process().children(recursive=True):
            _kill(children)


def _usage(processes: Sequence[psutil.Process]) -> tuple[int, int]:
    """Memory of processes in bytes, shared memory counted for each, and the number of their threads."""
    memory, threads = 0, 0
    for process in processes:
        with suppress(psutil.Error), process.oneshot():
            memory, threads = memory + process.memory_info().rss, threads + process.num_threads()
    return memory, threads


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(list(processes), timeout=1)
