"""Overhead of a sweep over plain papermill, its start-up time, and the speed-up by a second worker."""

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
    """The recorded numbers, and seconds from the start, including the cluster, to the first and the last point."""

    numbers: list[dict[str, float]]
    first: float
    last: float


def points(count: int) -> list[sweep_grid.Point]:
    """Points of the sweep, which differ in their seed."""
    return [{"seed": seed} for seed in range(count)]


def compare(count: int, repeats: int) -> dict[str, list[Timed]]:
    """Execute the points by each contender in turn, with one thread per point.

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
    """A Markdown table of medians: seconds for one point and for all, the speed-up, and the start-up time of a sweep.

    The time of a point is measured between the ends of the first and the last, where they run one after the other; the
    start-up time is what the first takes beyond that.
    """
    count = len(found[PAPERMILL][0].numbers)
    each = {name: median((one.last - one.first) / (count - 1) for one in timed) for name, timed in found.items()}
    whole = {name: median(one.last for one in timed) for name, timed in found.items()}
    start = median(one.first for one in found[ONE]) - each[ONE]
    shown = {
        name: f"{whole[name]:.1f} ({min(one.last for one in timed):.1f} to {max(one.last for one in timed):.1f})"
        for name, timed in found.items()
    }
    return "\n".join(
        [
            f"| method | median seconds per point | over papermill | all {count}, start included (fastest to slowest) "
            "| speed-up |",
            "| --- | ---: | ---: | ---: | ---: |",
            f"| {PAPERMILL} | {each[PAPERMILL]:.2f} | | {shown[PAPERMILL]} | |",
            f"| {ONE} | {each[ONE]:.2f} | {each[ONE] - each[PAPERMILL]:+.2f} | {shown[ONE]} | 1 |",
            f"| {TWO} | | | {shown[TWO]} | {whole[ONE] / whole[TWO]:.2f} |",
            "",
            f"The start of a sweep, cluster included, took {start:.1f} s.",
        ]
    )
