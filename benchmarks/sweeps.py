"""What a sweep costs over plain papermill, how long it takes to start, and what a second worker brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from benchmarks.timing import Times, interleaved
from lmc_utils.forking.boundaries import point
from lmc_utils.running import clusters, grids, results, sweeps
from lmc_utils.running.notebooks import Notebook

PAPERMILL, ONE, TWO = "papermill, one after the other", "sweep, one worker", "sweep, two workers"
NAME = "one_boundary"
Numbers = list[dict[str, float]]


def points(count: int, name: str = NAME) -> list[grids.Point]:
    """So many small networks, each with a seed of its own."""
    smoke = Notebook(point(name)).preset("smoke")
    return [smoke | {"seed": seed} for seed in range(count)]


def compare(count: int, repeats: int) -> tuple[Times, list[float]]:
    """Seconds of each contender for so many points, and those in which the clusters were started.

    Raises:
        ValueError: they do not record the same numbers.
    """
    wanted, started = points(count), list[float]()
    contenders: dict[str, Callable[[Path], Numbers]] = {
        PAPERMILL: lambda folder: plain(wanted, folder),
        ONE: lambda folder: swept(wanted, folder, 1, started),
        TWO: lambda folder: swept(wanted, folder, 2, started),
    }
    few = {name: _afresh(lambda folder, run=run: run(folder)) for name, run in contenders.items()}  # type: ignore[misc]
    first = {name: run() for name, run in few.items()}
    if any(numbers != first[PAPERMILL] for numbers in first.values()):
        raise ValueError("expected the same numbers from all")
    times = interleaved(few, repeats)
    return {name: [each - _start_up(name, started) for each in seconds] for name, seconds in times.items()}, started


def plain(wanted: list[grids.Point], folder: Path, name: str = NAME) -> Numbers:
    """The points by papermill's own command, one after the other."""
    for number, given in enumerate(wanted):
        command = [sys.executable, "-m", "papermill", str(point(name)), str(folder / f"{number}.ipynb")]
        command += ["--no-progress-bar", "--no-log-output"]
        command += [word for each, value in given.items() for word in ("-y", json.dumps({each: value}))]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [results.read(folder / f"{number}.ipynb") for number in range(len(wanted))]


def swept(wanted: list[grids.Point], folder: Path, workers: int, started: list[float], name: str = NAME) -> Numbers:
    """The points by a sweep; how long its cluster took to start is noted."""
    notebook, since = Notebook(point(name)), time.perf_counter()
    with clusters.local(workers) as client:
        client.wait_for_workers(workers)
        started.append(time.perf_counter() - since)
        *_, report = sweeps.steps(notebook, wanted, client, folder)
    if report.done != len(wanted):
        raise ValueError(f"expected {len(wanted)} points, got {report}")
    return [results.read(folder / "points" / f"{grids.name_of(each)}.ipynb") for each in wanted]


def table(times: Times, started: list[float], count: int) -> str:
    """A Markdown table: seconds a point, what a sweep adds to it, and how many times faster two workers are."""
    fastest = {name: min(seconds) / count for name, seconds in times.items()}
    rows = ["| | seconds a point | over papermill | times one worker |", "| --- | ---: | ---: | ---: |"]
    for name, seconds in fastest.items():
        over = "" if name == PAPERMILL else f"{seconds - fastest[PAPERMILL]:+.2f}"
        ratio = "" if name == PAPERMILL else f"{fastest[ONE] / seconds:.2f}"
        rows.append(f"| {name} | {seconds:.2f} | {over} | {ratio} |")
    rows += ["", f"A cluster was ready after {min(started):.1f} to {max(started):.1f} s."]
    return "\n".join(rows)


def _start_up(name: str, started: list[float]) -> float:
    return 0.0 if name == PAPERMILL else min(started)


def _afresh(run: Callable[[Path], Numbers]) -> Callable[[], Numbers]:
    """A contender with a folder and trained networks of its own, one thread each."""

    def alone() -> Numbers:
        with tempfile.TemporaryDirectory() as folder:
            own = {"LMC_RUNS": f"{folder}/runs", "OMP_NUM_THREADS": "1"}
            with mock.patch.dict(os.environ, own):
                return run(Path(folder))

    return alone
