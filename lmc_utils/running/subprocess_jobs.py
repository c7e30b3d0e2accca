"""Run commands, some at a time, with progress; nothing is left running, also where this process is killed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lmc_utils.running import watchdog

_TAIL = 2**16  # bytes of a log that are looked at
_GRACE = 15  # seconds an interrupted notebook has to shut its kernel down


@dataclass(frozen=True)
class Job:
    """A command to run.

    Attributes:
        name: to show while it runs.
        command: and its arguments.
        log: the file for all that it says.
        folder: where it runs.
        environment: all of its variables.
        limit: seconds it may take; None for any time.
    """

    name: str
    command: Sequence[str]
    log: Path
    folder: Path
    environment: Mapping[str, str]
    limit: float | None = None


def run(
    jobs: Iterable[Job], *, total: int, at_once: int, console: Console, unit: str
) -> Generator[tuple[Job, int | None], None, None]:
    """Run all jobs; each is given back when it is done, in whatever order, with its exit status.

    The status is None where a job took longer than its limit and was stopped. Closing the iterator, or an exception
    while it waits, stops whatever is running.

    Args:
        jobs: what to run; the next one is asked for when another has ended.
        total: how many there are, for the progress bar.
        at_once: how many run at a time.
        console: where the progress bar appears.
        unit: what it counts.
    """
    columns = SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    waiting, running = iter(jobs), dict[subprocess.Popen[bytes], tuple[Job, float]]()
    try:
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task(unit, total=total, visible=bool(total))
            while True:
                for job in itertools.islice(waiting, at_once - len(running)):
                    running[_start(job)] = job, time.monotonic()
                if not running:
                    return
                for process, (job, since) in list(running.items()):
                    late = job.limit is not None and time.monotonic() - since > job.limit
                    if process.poll() is None and not late:
                        continue
                    stop([process])
                    del running[process]
                    progress.advance(bar)
                    yield job, None if late else process.returncode
                progress.update(bar, description=", ".join(job.name for job, _ in running.values()) or unit)
                time.sleep(0.05)
    finally:
        stop(running)


def cores_per_job(at_once: int, jobs: int) -> int:
    """How many cores each of some jobs gets when so many run at a time."""
    return max(1, (os.cpu_count() or 1) // max(1, min(at_once, jobs)))


def stop(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """End jobs so that they shut their kernels down; kill those that do not listen, or all if told twice."""
    alive = [process for process in processes if process.poll() is None]
    for process in alive:
        os.killpg(process.pid, signal.SIGTERM)  # the child takes it for Ctrl-C, which a job of a script ignores
    deadline = time.monotonic() + _GRACE
    try:
        while any(process.poll() is None for process in alive) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        watchdog.end(processes)


def last_line(log: Path) -> str:
    """The last line of a log; of an `lmc` command, the one line that says what was wrong."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        said_last = file.read(_TAIL).decode(errors="replace")
    lines = [line.strip() for line in said_last.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("lmc: ")]
    return (said or lines or [""])[-1].removeprefix("lmc: ")


def _start(job: Job) -> subprocess.Popen[bytes]:
    with job.log.open("wb") as log:
        return watchdog.start(job.command, stdout=log, stderr=log, cwd=job.folder, env=dict(job.environment))
