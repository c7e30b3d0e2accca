"""Kill sweeps at random times: their files are complete, all processes end, and the final table is the same.

`attack(count, seed)` kills one sweep so many times, then lets it finish.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from killed_builds import MARK, alive
from small_project import write_notebook
from trial_result import Trial

from lmc_utils.running import notebooks, recorded_numbers, sweep_grid, sweeps

POINTS = sweep_grid.grid_points([("count", range(3)), ("rate", [0.5, 0.25])])
_SOURCE = "from lmc_utils.running import record\nrecord(third=count / 3, root=(count + rate) ** 0.5)"
_SOON = 10.0  # seconds within which all processes of a killed sweep end; Dask's workers poll
_LONGEST = 12.0  # latest time of a kill in seconds: about the duration of the first points


def attack(count: int, seed: int) -> list[Trial]:
    """Kill a sweep so many times at random times, then finish it and one that was never killed."""
    instants = random.Random(seed)
    held, worst = 0, list[str]()
    with tempfile.TemporaryDirectory(prefix="lmc-kills-") as name:
        folder = Path(name)
        path = write_notebook(folder / "one.ipynb", _SOURCE)
        for _ in range(count):
            after = instants.uniform(0, _LONGEST)
            mark = _start_and_kill(path, folder, after)
            faults = [*_not_whole(folder / "killed" / "points"), *_left(mark)]
            held += not faults
            worst += [f"killed after {after:.2f} s: {fault}" for fault in faults]
            for point in sorted((folder / "killed" / "points").glob("*.ipynb"))[2:]:
                point.unlink()  # so that work is left for the next one
        one, other = (_table(path, folder / place) for place in ("killed", "whole"))
        same = "" if one == other else f"{one} instead of {other}"
    return [
        Trial(f"a sweep, killed in its first {_LONGEST:.0f} s", count, held, min(worst, key=len, default="")),
        Trial("the table of a sweep that was killed and begun again, to the bit", 1, int(not same), same),
    ]


def _start_and_kill(path: Path, folder: Path, seconds: float) -> str:
    mark = os.urandom(8).hex()
    axes = ["--grid", "count=0:3", "--grid", "rate=0.5,0.25"]
    command = [sys.executable, "-m", "lmc_utils.cli", "sweep", str(path), *axes, "--out", str(folder / "killed")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | {MARK: mark}, stdout=log, stderr=log)
    time.sleep(seconds)
    process.kill()
    process.wait()
    return mark


def _not_whole(points: Path) -> list[str]:
    faults = []
    for path in points.glob("*.ipynb"):
        try:
            recorded_numbers.read(path)
        except Exception as error:
            faults.append(f"{path.name}: {error}")
    return faults


def _left(mark: str) -> list[str]:
    deadline = time.monotonic() + _SOON
    while found := list(alive(mark)):
        if time.monotonic() > deadline:
            return [f"alive after {_SOON:.0f} s: {found}"]
        time.sleep(0.1)
    return []


def _table(path: Path, out: Path) -> str:
    """The recorded numbers of all points, without file names."""
    sweeps.sweep(notebooks.Notebook(path), POINTS, out=out)
    return (out / "results.csv").read_text()
