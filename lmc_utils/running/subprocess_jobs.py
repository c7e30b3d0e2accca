"""Run commands in parallel with a progress bar; all of them end, even if this process is killed."""

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

from lmc_utils.running import watchdog
from lmc_utils.running.progress_bars import job_progress

_TAIL = 2**16  # bytes at the end of a log that are searched
_GRACE = 15  # seconds an interrupted notebook has to shut its kernel down


@dataclass(frozen=True)
class Job:
    """A command to run.

    Attributes:
        name: shown while it runs.
        command: program and arguments.
        log: the file for its output.
        folder: working directory.
        environment: all environment variables.
        limit: time limit in seconds; None for no limit.
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
    """Run all jobs; yield each with its exit status when it finishes.

    The status is None if a job exceeded its limit and was stopped. Closing the iterator, or an exception while waiting,
    stops all running jobs.

    Args:
        jobs: the jobs; the next one is requested when another has ended.
        total: the number of jobs, for the progress bar.
        at_once: the number of jobs to run in parallel.
        console: where the progress bar appears.
        unit: name of the jobs in the progress bar.
    """
    waiting, running = iter(jobs), dict[subprocess.Popen[bytes], tuple[Job, float]]()
    try:
        with job_progress(console) as progress:
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
    """The number of cores for each of some jobs if so many run in parallel."""
    return max(1, (os.cpu_count() or 1) // max(1, min(at_once, jobs)))


def stop(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Terminate jobs so that they can shut down kernels; kill those that do not react, or all at a second interrupt."""
    alive = [process for process in processes if process.poll() is None]
    for process in alive:
        os.killpg(process.pid, signal.SIGTERM)  # as Ctrl-C, which a script's background jobs ignore
    deadline = time.monotonic() + _GRACE
    try:
        while any(process.poll() is None for process in alive) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        watchdog.end(processes)


def last_line(log: Path) -> str:
    """The last line of a log; for an `lmc` command, its one-line error."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        said_last = file.read(_TAIL).decode(errors="replace")
    lines = [line.strip() for line in said_last.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("lmc: ")]
    return (said or lines or [""])[-1].removeprefix("lmc: ")


def _start(job: Job) -> subprocess.Popen[bytes]:
    with job.log.open("wb") as log:
        return watchdog.start(job.command, stdout=log, stderr=log, cwd=job.folder, env=dict(job.environment))
