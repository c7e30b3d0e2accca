"""`make bench`: benchmark the package against alternatives and write the tables to a page of the book."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from pathlib import Path

import torch

from benchmarks import (
    connections,
    convolutions,
    curvature,
    detours,
    lines,
    memory,
    planes,
    store,
    sweeps,
    training,
)
from benchmarks.timing import table
from lmc_utils.forking import Experiment
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.measure.planes import PlaneGrid

PAGE = Path(__file__).parent.parent / "book" / "_generated" / "benchmarks.md"
NOTEBOOK = "02_sibling_forking"
ALLOWED = (8, 32, 128)  # MiB
POINTS = 10  # of a sweep
PARENTS = 3  # of the family; chapters have more, but ratios do not need them


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="number of runs of each contender")
    parser.add_argument("--preset", default="default", help="the experiment: smoke, default or paper")
    parser.add_argument("--page", type=Path, default=PAGE, help="output file of the tables")
    parser.add_argument("--only", choices=list(_PAGES), help="measure one page only (some minutes each)")
    options = parser.parse_args()

    experiment = Experiment(**{"parents": PARENTS} | Experiment.preset(options.preset))
    for name, measured in _PAGES.items():
        if options.only in (None, name):
            _write(options.page.with_name(f"benchmarks_{name}.md"), measured(experiment, options.repeats))
    if options.only:
        return
    print(f"Training the {options.preset} run ({options.repeats} repeats):", flush=True)
    times = training.compare(experiment, options.repeats)
    print(f"Executing {NOTEBOOK}:", flush=True)
    peak = memory.peak_of_notebook(NOTEBOOK)
    print("Caching and checking runs:", flush=True)
    store_seconds = store.measure_seconds(experiment, NOTEBOOK, options.repeats)
    print("Losses on the lines through all pairs of siblings:", flush=True)
    losses = lines.compare(experiment, options.repeats)
    print("Losses on the planes of one parent's siblings:", flush=True)
    flat = planes.compare(experiment, options.repeats)

    page = f"""\
{_where(options.repeats)}

**Training the {options.preset} run, end to end.** Ours includes writing every epoch to disk.

{table(times, training.OURS)}

**Memory.** Executing `{NOTEBOOK}` with its default parameters, training included, took {peak:.2f} GB at its
peak (its largest process).

**Caching runs.** The cost of digests and atomic writes, as a fraction of training, and of executing `{NOTEBOOK}` with
its default parameters from the cached run:

{store.table(store_seconds)}

**Lines.** The {options.preset} run's training loss at {lines.POINTS} points on the line through each pair of siblings.

{table(losses, lines.OURS)}

**Planes.** The same loss at {planes.GRID} x {planes.GRID} points of the plane through a fork point and two siblings,
for every fork epoch of one parent. Ours also computes the plane and the errors.

{table(flat, planes.OURS)}
"""
    _write(options.page, page)


def _where(repeats: int) -> str:
    repeated = f"{repeats} repeat{'' if repeats == 1 else 's'}"
    threads = f"{torch.get_num_threads()} thread{'' if torch.get_num_threads() == 1 else 's'}"
    return (
        f"Measured on {datetime.date.today():%d %B %Y}, on {os.cpu_count()} cores ({platform.machine()}),\n"
        f"torch {torch.__version__} with {threads}, {repeated}."
    )


def _residual(_: Experiment, repeats: int) -> str:
    print("Convolutions of many networks:", flush=True)
    convolved = {axes: convolutions.compare(axes, repeats) for axes in (1, 2)}
    print("Training residual networks:", flush=True)
    residual = {axes: training.compare_residual(axes, repeats) for axes in (1, 2)}
    return f"""\
{_where(repeats)}

**Convolutions.** Ten passes, forward and backward, through one convolution of each stage of a ResNet, for
{convolutions.NETWORKS} networks and {convolutions.SAMPLES} samples; in one dimension, then in two:

{table(convolved[1], convolutions.GROUPED)}

{table(convolved[2], convolutions.GROUPED)}

**Residual networks.** A family of ResNet-8s with batch normalisation, two epochs, end to end; on MNIST-1D, then on the
digits, which are images of 8 x 8. Where images are large, ours trains one network after the other as well:

{table(residual[1], training.OURS)}

{table(residual[2], training.OURS)}
"""


def _curvature(experiment: Experiment, repeats: int) -> str:
    tables = {}
    for name in curvature.FAMILIES:
        print(f"Second derivatives, {name}:", flush=True)
        task = curvature.family(name, experiment)
        tables[name] = curvature.table(*(curvature.compare(task, by_layer, repeats) for by_layer in (False, True)))
    growth = memory.growth_of_curvature(experiment, ALLOWED)
    return f"""\
{_where(repeats)}

**The perceptrons of the default run**, at both ends of every pair of siblings, on all training samples:

{tables["mlp"]}

**Convolutions** (`cnn`, 16, 32 and 64 channels), four networks and 1,000 samples:

{tables["cnn"]}

**ResNet-8** (8 channels), four networks and 1,000 samples, without normalisation:

{tables["none"]}

with group normalisation:

{tables["group"]}

with batch normalisation, its statistics re-estimated on 500 samples, as functions of the parameters:

{tables["functions"]}

with batch normalisation, its statistics as constants:

{tables["constants"]}

**Memory.** Peak memory growth of a process that measures the first of these, for three values of the
parameter `memory` of `stacked_derivatives.directional_derivatives`:

{memory.table(growth)}
"""


def _detours(experiment: Experiment, repeats: int) -> str:
    print("Matching and the lowest pass:", flush=True)
    costs = detours.costs(experiment, repeats)
    print("Curves:", flush=True)
    bent = detours.compare(experiment, repeats)
    return f"""\
{_where(repeats)}

**Bézier paths.** Quadratic curves between siblings of the {experiment.dataset} family: three parents, five fork epochs,
that is, fifteen pairs, trained for {CurveSettings().curve_epochs} epochs.

{table(bent, detours.OURS)}

**Matching and the lowest pass.** One pair of networks with 256 units a layer; one map of {PlaneGrid().grid} x
{PlaneGrid().grid} points.

{table(costs)}
"""


def _connections(_: Experiment, repeats: int) -> str:
    print("Lines between any two networks:", flush=True)
    small = connections.compare(*connections.perceptron(), repeats)
    large = connections.compare(*connections.resnet(), repeats)
    return f"""\
{_where(repeats)}

**The line between any two networks.** {connections.POINTS} points; a perceptron of three layers on 4,000
samples, then torchvision's ResNet-18 on 256 images of 64 x 64. Ours includes all its checks.

{table(small, connections.OURS)}

{table(large, connections.OURS)}
"""


def _sweeps(_: Experiment, repeats: int) -> str:
    print("A notebook over several points:", flush=True)
    return f"""\
{_where(repeats)} One thread per point.

**A notebook over {POINTS} points.** `{sweeps.NAME}`, one seed per point:

{sweeps.table(sweeps.compare(POINTS, repeats))}
"""


_PAGES = {
    "curvature": _curvature,
    "residual": _residual,
    "detours": _detours,
    "connections": _connections,
    "sweeps": _sweeps,
}


def _write(path: Path, page: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page)
    print(f"\n{page}\nWritten to {path}")


if __name__ == "__main__":
    main()
