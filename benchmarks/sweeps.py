"""What a sweep costs over plain papermill, how long it takes to start, and what a second worker brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple
from unittest import mock

from lmc_utils.running import clusters, recorded_numbers, sweep_grid, sweeps
from lmc_utils.running.notebooks import point

PAPERMILL, ONE, TWO = "papermill, one after the other", "sweep, one worker", "sweep, two workers"
NAME = "toy_freezing"


class Timed(NamedTuple):
    """What was recorded, and seconds from the beginning, cluster included, to the first and to the last point."""

    numbers: list[dict[str, float]]
    first: float
    last: float


def points(count: int) -> list[sweep_grid.Point]:
    """Pairs of walkers, each with its own seed."""
    return [{"seed": seed} for seed in range(count)]


def compare(count: int, repeats: int) -> dict[str, list[Timed]]:
    """The points by each contender in turn, one thread per point.

    Raises:
        ValueError: they do not record the same numbers.
    """
    wanted = points(count)
    contenders: dict[str, Callable[[Path], Timed]] = {
        PAPERMILL: lambda folder: plain(wanted, folder),
        ONE: lambda folder: swept(wanted, folder, 1),
        TWO: lambda folder: swept(wanted, folder, 2),
    }
    found: dict[str, list[Timed]] = {name: [] for name in contenders}
    with mock.patch.dict(os.environ, {"OMP_NUM_THREADS": "1"}):
        for repeat in range(repeats):
            for name, run in contenders.items():
                with tempfile.TemporaryDirectory() as folder:
                    found[name].append(run(Path(folder)))
                print(f"  repeat {repeat + 1} of {repeats}: {name}: {found[name][-1].last:.1f} s", flush=True)
    if any(each.numbers != found[PAPERMILL][0].numbers for timed in found.values() for each in timed):
        raise ValueError("expected the same numbers from all")
    return found


def plain(points: Sequence[sweep_grid.Point], folder: Path) -> Timed:
    """The points by papermill's own command, one after the other."""
    since, done = time.perf_counter(), list[float]()
    for number, given in enumerate(points):
        command = [sys.executable, "-m", "papermill", str(point(NAME).path), str(folder / f"{number}.ipynb")]
        command += ["--no-progress-bar", "--no-log-output", "-y", json.dumps(given)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        done.append(time.perf_counter() - since)
    return Timed(
        [recorded_numbers.read(folder / f"{number}.ipynb") for number in range(len(points))], done[0], done[-1]
    )


def swept(points: Sequence[sweep_grid.Point], folder: Path, workers: int) -> Timed:
    """The points by a sweep with this number of workers."""
    notebook, since, done = point(NAME), time.perf_counter(), list[float]()
    with clusters.local_cluster(workers) as client:
        for report in sweeps.steps(notebook, points, client, out=folder):
            if report.done > len(done):
                done.append(time.perf_counter() - since)
    if len(done) != len(points):
        raise ValueError(f"expected {len(points)} points, got {report}")
    paths = [folder / "points" / f"{sweep_grid.point_name(each)}.ipynb" for each in points]
    return Timed([recorded_numbers.read(path) for path in paths], done[0], done[-1])


def table(found: Mapping[str, Sequence[Timed]]) -> str:
    """A Markdown table of medians: a point, all of them, how many times faster, and the start of a sweep.

    A point is timed from the end of the first to the end of the last, where they come one after the other; the start
    is what the first took beyond that.
    """
    count = len(found[PAPERMILL][0].numbers)
    each = {name: median((one.last - one.first) / (count - 1) for one in timed) for name, timed in found.items()}
    whole = {name: median(one.last for one in timed) for name, timed in found.items()}
    start = median(one.first for one in found[ONE]) - each[ONE]
    return "\n".join(
        [
            f"| method | median seconds per point | over papermill | all {count}, start included | speed-up |",
            "| --- | ---: | ---: | ---: | ---: |",
            f"| {PAPERMILL} | {each[PAPERMILL]:.2f} | | {whole[PAPERMILL]:.1f} | |",
            f"| {ONE} | {each[ONE]:.2f} | {each[ONE] - each[PAPERMILL]:+.2f} | {whole[ONE]:.1f} | 1 |",
            f"| {TWO} | | | {whole[TWO]:.1f} | {whole[ONE] / whole[TWO]:.2f} |",
            "",
            f"The start of a sweep, cluster included, took {start:.1f} s.",
        ]
    )
